"""A task: one partition number of all of a sub-topology's topics, its state, and the code that processes its records.

A task knows no consumer and no producer: records come in, outputs are appended to a list, and whoever runs it says when
what it did is committed or rolled back. The runtime and the test driver run the same task.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

import structlog

from tailrace.client import dead_letter_headers
from tailrace.registry.errors import SerdeError
from tailrace.streams.errors import ProcessingFailed
from tailrace.streams.handling import ErrorHandler, OnError, answer
from tailrace.streams.record import Record
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.store import Store
from tailrace.streams.state.table import TableReader, TableStore
from tailrace.streams.subtopology import SubTopology

log = structlog.get_logger("tailrace.streams")

Headers = list[tuple[str, str | bytes | None]] | None
# topic, partition (-1: that of the key), key, value, headers, timestamp in milliseconds since 1970
Output = tuple[str, int, bytes | None, bytes | None, Headers, int]


class Task:
    """One partition number of a sub-topology; what it writes is appended to `outputs`."""

    def __init__(
        self,
        topology: SubTopology,
        partition: int,
        backend: Backend,
        outputs: list[Output],
        global_tables: dict[str, TableStore[Any, Any]],
    ) -> None:
        self.partition = partition
        self.emit = outputs.append
        self._outputs = outputs
        self._mark = 0
        self._topology = topology
        self._backend = backend
        self._global_tables = global_tables
        self._stores = {
            spec.name: Store(spec.name, backend, spec.value.encode, spec.value.decode)
            for spec in topology.stores.values()
        }
        self._tables = {
            topic: TableStore(topic, backend, table.key, table.value) for topic, table in topology.tables.items()
        }
        # Next offset to read, by stream topic: as processed, and as committed.
        self.positions: dict[str, int] = {}
        self.committed_positions: dict[str, int] = {}
        # Next offset to fold into the state, by table and journal topic, as far as it is committed.
        self._folded = {topic: offset for (topic, _), offset in backend.offsets().items()}
        self._unwritten_offsets: dict[tuple[str, int], int] = {}
        self._processes = topology.program.bind(self)
        self._journals = topology.folds(self)

    @property
    def folded(self) -> dict[str, int]:
        """The next offset to fold into the state for each topic that state comes from."""
        return {topic: self._folded.get(topic, 0) for topic in (*self._tables, *self._journals)}

    def store(self, name: str) -> Store[Any]:
        """A store of one of the steps."""
        return self._stores[name]

    def has_store(self, name: str) -> bool:
        """Whether one of the steps has a store of this name."""
        return name in self._stores

    def reader(self, table: str) -> TableReader[Any]:
        """The content of a table or a global table."""
        return self._tables[table] if table in self._tables else self._global_tables[table]

    def process(self, topic: str, records: Sequence[Record]) -> None:
        """Process consecutive records of one stream topic; outputs are appended, state changes wait for `commit`.

        Raises ProcessingFailed for a record that cannot be read or that a step failed on, unless a handler says what to
        do with it.
        """
        self._processes[topic](records)
        self.positions[topic] = records[-1].offset() + 1

    def update_table(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's topic, for good."""
        table = self._tables[topic]
        for record in records:
            try:
                table.apply(record)
            except SerdeError as error:
                self.unreadable(record, error)
        table.store.commit()
        self._note(topic, records[-1].offset() + 1)

    def restore(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's or a journal's topic that were written before this task began."""
        if topic in self._tables:
            self.update_table(topic, records)
            return
        serde, apply = self._journals[topic]
        for record in records:
            key, value = record.key(), record.value()
            # What this application wrote itself is readable, or its state is lost: no dead letters here.
            if key is None or value is None:
                raise SerdeError(f"{_place(record)} has no key or no value, so it is no event of this application")
            apply(key, serde.decode(value))
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

    def mark(self) -> None:
        """Set the point that `undo` goes back to: the beginning of a record."""
        self._mark = len(self._outputs)
        for store in self._stores.values():
            store.mark()

    def undo(self, record: Record, error: Exception) -> None:
        """Take back what a record did before a step failed on it, and do with it what the handler says."""
        del self._outputs[self._mark :]
        for store in self._stores.values():
            store.undo()
        if isinstance(error, ProcessingFailed):
            raise error
        self._handle(self._topology.handling.failed, "TRANSFORMATION", record, error)

    def unreadable(self, record: Record, error: SerdeError) -> None:
        """Do with a record that cannot be read what the handler says."""
        self._handle(self._topology.handling.unreadable, "VALUE_CONVERTER", record, error)

    def without_key(self, record: Record) -> None:
        """Do with a record that has no key, where one is needed, what the handler says."""
        self.unreadable(record, SerdeError("the record has no key"))

    def failed(self, record: Record, error: Exception) -> NoReturn:
        """Stop at a record."""
        if isinstance(error, ProcessingFailed):
            raise error
        raise ProcessingFailed(f"{_place(record)} cannot be processed: {error!r}") from error

    def _handle(self, handler: ErrorHandler, stage: str, record: Record, error: Exception) -> None:
        match answer(handler, record, error):
            case OnError.FAIL:
                raise ProcessingFailed(f"{_place(record)} stops {self._topology.application}: {error}") from error
            case OnError.SKIP:
                log.warning(
                    "record skipped", application=self._topology.application, record=_place(record), reason=str(error)
                )
            case OnError.DEAD_LETTER:
                headers = dead_letter_headers(record, self._topology.application, stage, error)
                topic = self._topology.handling.dead_letters
                self.emit((topic, -1, record.key(), record.value(), headers, record.timestamp()[1]))

    def _commit_stores(self) -> None:
        for store in self._stores.values():
            store.commit()

    def _note(self, topic: str, offset: int) -> None:
        self._folded[topic] = offset
        self._unwritten_offsets[topic, self.partition] = offset


def _place(record: Record) -> str:
    return f"record {record.offset()} of {record.topic()}-{record.partition()}"
