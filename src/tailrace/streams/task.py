"""A task: one partition number of all of a topology's topics, its state, and the functions that process its records.

A task knows no consumer and no producer: records come in, outputs go to `emit`, and whoever runs it says when what it
did is committed or rolled back. The runtime and the test driver run the same task.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import msgpack

from tailrace.client import dead_letter_headers
from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.operators.operator import fan_out
from tailrace.streams.record import Process, Record
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.store import Store
from tailrace.streams.state.table import TableReader, TableStore
from tailrace.streams.topology import Node, Topology

Headers = list[tuple[str, str | bytes | None]] | None
# topic, partition (-1: that of the key), key, value, headers
Output = tuple[str, int, bytes | None, bytes | None, Headers]


class Task:
    """One partition number of a topology."""

    def __init__(
        self,
        topology: Topology,
        partition: int,
        backend: Backend,
        emit: Callable[[Output], None],
        global_tables: dict[str, TableStore[Any]],
    ) -> None:
        self.partition = partition
        self.emit = emit
        self._topology = topology
        self._backend = backend
        self._stores: dict[str, Store[Any]] = {}
        self._state_types: dict[str, Any] = {}
        self._global_tables = global_tables
        self._tables = {
            topic: TableStore(topic, backend, table.value.decode) for topic, table in topology.tables.items()
        }
        self._streams: dict[str, tuple[Serde[Any], Process]] = {}
        self._journals: dict[str, tuple[Serde[Any], Callable[[str, Any], None]]] = {}
        # Next offset to read, by stream topic: as processed, and as committed.
        self.positions: dict[str, int] = {}
        self.committed_positions: dict[str, int] = {}
        # Next offset to fold into the state, by table and journal topic, as far as it is committed.
        self._folded = {topic: offset for (topic, _), offset in backend.offsets().items()}
        self._unwritten_offsets: dict[tuple[str, int], int] = {}
        self._bind()

    @property
    def folded(self) -> dict[str, int]:
        """The next offset to fold into the state for each topic that state comes from."""
        return {topic: self._folded.get(topic, 0) for topic in (*self._tables, *self._journals)}

    def store(self, name: str) -> Store[Any]:
        """The decoded store of a decision, or of its settled identities; made when first asked for."""
        if name not in self._stores:
            kind = self._state_types.get(name, str)
            self._stores[name] = Store(name, self._backend, msgpack.Encoder().encode, msgpack.Decoder(kind).decode)
        return self._stores[name]

    def reader(self, table: str) -> TableReader[Any]:
        """The content of a table or a global table."""
        return self._tables[table] if table in self._tables else self._global_tables[table]

    def process(self, topic: str, records: Sequence[Record]) -> None:
        """Process consecutive records of one stream topic; outputs go to `emit`, state changes wait for `commit`.

        What cannot be decoded goes to the dead letters. Any other exception of an operator passes through.
        """
        serde, process = self._streams[topic]
        decode = serde.decode
        for record in records:
            try:
                key, value = decoded(record, decode)
            except SerdeError as error:
                self._dead_letter(record, error)
            else:
                process(key, value, record)
        self.positions[topic] = records[-1].offset() + 1

    def update_table(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's topic, for good."""
        table = self._tables[topic]
        for record in records:
            try:
                table.apply(key_of(record), record)
            except SerdeError as error:
                self._dead_letter(record, error)
        table.store.commit()
        self._note(topic, records[-1].offset() + 1)

    def restore(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's or a journal's topic that were written before this task began."""
        if topic in self._tables:
            self.update_table(topic, records)
            return
        serde, apply = self._journals[topic]
        for record in records:
            # What this application wrote itself is readable, or its state is lost: no dead letters here.
            apply(*decoded(record, serde.decode))
        self._commit_stores()
        self._note(topic, records[-1].offset() + 1)

    def commit(self, journal_ends: dict[tuple[str, int], int]) -> None:
        """Keep what was done: the outputs are committed, the journals' next offsets are `journal_ends`."""
        self._commit_stores()
        self.committed_positions.update(self.positions)
        for topic in self._journals:
            end = journal_ends.get((topic, self.partition))
            if end is not None:
                self._note(topic, end)

    def rollback(self) -> list[str]:
        """Undo what was done since the last commit; return the stream topics to be read again."""
        for store in self._stores.values():
            store.rollback()
        moved = list(self.moved_positions())
        self.positions = dict(self.committed_positions)
        return moved

    def start_at(self, topic: str, offset: int) -> None:
        """Set the committed position of a stream topic."""
        self.positions[topic] = self.committed_positions[topic] = offset

    def moved_positions(self) -> dict[str, int]:
        """The positions of the stream topics that were processed since the last commit."""
        committed = self.committed_positions
        return {topic: offset for topic, offset in self.positions.items() if offset != committed.get(topic)}

    def write(self) -> None:
        """Write committed state to the backend, with the offsets up to which it is folded, in one atomic write."""
        if self._unwritten_offsets:
            stores = [*self._stores.values(), *(table.store for table in self._tables.values())]
            self._backend.write((entry for store in stores for entry in store.unwritten()), self._unwritten_offsets)
            for store in stores:
                store.written()
            self._unwritten_offsets = {}

    def close(self) -> None:
        """Write what is committed and let go of the state."""
        self.rollback()
        self.write()
        self._backend.close()

    def _bind(self) -> None:
        decisions = {journal.decide for journal in self._topology.journals.values()}
        self._state_types = {decide.store: type(decide.initial) for decide in decisions}
        bound: dict[int, Process] = {}
        for topic, source in self._topology.sources.items():
            self._streams[topic] = (source.value, self._bind_children(source.node, bound))
        folds = {decide: decide.fold(self) for decide in decisions}
        for topic, journal in self._topology.journals.items():
            self._journals[topic] = (journal.value, folds[journal.decide])

    def _bind_children(self, node: Node, bound: dict[int, Process]) -> Process:
        targets = []
        for child in node.children:
            if id(child) not in bound:
                assert child.operator is not None
                bound[id(child)] = child.operator.bind(self, self._bind_children(child, bound))
            targets.append(bound[id(child)])
        return fan_out(targets)

    def _commit_stores(self) -> None:
        for store in self._stores.values():
            store.commit()

    def _note(self, topic: str, offset: int) -> None:
        self._folded[topic] = offset
        self._unwritten_offsets[topic, self.partition] = offset

    def _dead_letter(self, record: Record, error: SerdeError) -> None:
        headers = dead_letter_headers(record, self._topology.name, "VALUE_CONVERTER", error)
        self.emit((self._topology.dead_letters, -1, record.key(), record.value(), headers))


def key_of(record: Record) -> str:
    """The record's key as text. Raises SerdeError when there is none or it is not UTF-8."""
    key = record.key()
    if key is None:
        raise SerdeError("the record has no key")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise SerdeError(f"the key {key[:40]!r} is not UTF-8") from error


def decoded(record: Record, decode: Callable[[bytes], Any]) -> tuple[str, Any]:
    """The record's key and value. Raises SerdeError when either cannot be decoded or is missing."""
    value = record.value()
    if value is None:
        raise SerdeError("the record has no value")
    return key_of(record), decode(value)
