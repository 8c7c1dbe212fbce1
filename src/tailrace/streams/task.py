"""A task: one partition number of all of a sub-topology's topics, its state, and the code that processes its records.

A task knows no consumer and no producer: records come in, outputs are appended to a list, and whoever runs it says when
what it did is committed or rolled back. The runtime and the test driver run the same task.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NoReturn

import structlog

from tailrace.client import dead_letter_headers
from tailrace.clock import now_ms
from tailrace.registry.errors import SerdeError
from tailrace.streams.errors import ProcessingFailed, Unwritable
from tailrace.streams.handling import ErrorHandler, OnError, answer
from tailrace.streams.metrics.counters import OperatorCounters, TaskCounters
from tailrace.streams.processor import Processor, ProcessorContext
from tailrace.streams.record import Record
from tailrace.streams.state.backend import Backend, Size
from tailrace.streams.state.kept import Kept
from tailrace.streams.state.sessions import OpenSessions
from tailrace.streams.state.store import Committed, Reader, Store
from tailrace.streams.state.store_builder import StoreBuilder
from tailrace.streams.state.stream_time import StreamTime
from tailrace.streams.state.table import TableReader, TableStore
from tailrace.streams.state.windows import OpenWindows
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
        counters: TaskCounters | None = None,
    ) -> None:
        self.partition = partition
        self.name = f"{topology.name}-{partition}"
        self.counters = counters or TaskCounters()
        if topology.counted:
            self.counters.operators = self.counters.operators or OperatorCounters([n.name for n in topology.counted])
        self.emit = outputs.append
        self._outputs = outputs
        self._mark = 0
        self._time_mark = -1
        self._topology = topology
        self._backend = backend
        self._global_tables = global_tables
        self._stores = {
            spec.name: Store(spec.name, backend, spec.value.encode, spec.value.decode)
            for spec in topology.stores.values()
        }
        self._tables = {
            topic: TableStore(topic, backend, table.key, table.value)
            for topic, table in (topology.tables | topology.flowing_tables).items()
        }
        self._flowing = topology.flowing_tables
        # What is undone when a transaction is: all but the tables that are only looked up.
        self._transactional = [*self._stores.values(), *(self._tables[topic].store for topic in self._flowing)]
        # Next offset to read, by stream topic: as processed, and as committed.
        self.positions: dict[str, int] = {}
        self.committed_positions: dict[str, int] = {}
        # Next offset to fold into the state, by table and journal topic, as far as it is committed.
        self._folded = {topic: offset for (topic, _), offset in backend.offsets().items()}
        self._unwritten_offsets: dict[tuple[str, int], int] = {}
        self._changelogs = {topology.changelog(name): self._stores[name] for name in topology.changelogged}
        self.time = StreamTime()
        self._windows: list[OpenWindows | OpenSessions] = []
        self._idle_ms: int | None = None
        self._idle_since = 0
        self._active = True
        self.contexts: list[ProcessorContext] = []
        self._of_processors: dict[str, tuple[Kept, Reader[Any]]] = {}
        self.clock_ms = -1
        self._functions = topology.program.bind(self)
        self._processes = self._functions.processes
        self._journals = topology.folds(self)

    @property
    def folded(self) -> dict[str, int]:
        """The next offset to fold into the state for each topic that state comes from."""
        return {topic: self._folded.get(topic, 0) for topic in (*self._tables, *self._journals, *self._changelogs)}

    @property
    def written(self) -> Collection[str]:
        """Those of `folded` that this task writes."""
        return {*self._journals, *self._changelogs}

    @property
    def consumed(self) -> Collection[str]:
        """Those of `folded` whose records are processed too: state has them as far as that is committed."""
        return self._flowing.keys()

    @property
    def compacted(self) -> dict[str, int]:
        """Those of `folded` whose topics are compacted, so that they forget deletions after a while."""
        return {topic: offset for topic, offset in self.folded.items() if topic not in self._journals}

    @property
    def late_records(self) -> int:
        """How many records came after their windows had closed."""
        return self.counters.counts.late

    def state_size(self) -> Size | None:
        """How much the backend holds, None once it is closed; may be asked from any thread."""
        return self._backend.size()

    def stores(self) -> list[Store[Any]]:
        """All stores, of steps and of tables."""
        return [*self._stores.values(), *(table.store for table in self._tables.values())]

    def state_age_ms(self) -> int:
        """How long ago state was written to the backend."""
        return now_ms() - self._backend.written_at_ms()

    def store(self, name: str) -> Store[Any]:
        """A store of one of the steps."""
        return self._stores[name]

    def open_windows(self, store: str, length_ms: int, idle_ms: int | None) -> OpenWindows:
        """The windows of one of the steps, which keeps them in a store; see OpenWindows and Hopping."""
        windows = OpenWindows(self._stores[store], length_ms)
        self._watch(windows, idle_ms)
        return windows

    def open_sessions(self, store: str, gap_ms: int, open_ms: int, idle_ms: int | None) -> OpenSessions:
        """The sessions of one of the steps; see OpenSessions and Sessions."""
        sessions = OpenSessions(self._stores[store], gap_ms, open_ms)
        self._watch(sessions, idle_ms)
        return sessions

    def processor(
        self, make: Callable[[ProcessorContext], Processor[Any, Any]], builders: Iterable[StoreBuilder]
    ) -> ProcessorContext:
        """What one of the steps has of a processor: with its stores."""
        stores = {builder.kept.store: builder.build(self) for builder in builders}
        kept = {builder.kept.store: builder.kept for builder in builders}
        self._of_processors |= {name: (kept[name], built.committed) for name, built in stores.items()}
        self.contexts.append(ProcessorContext(self, make, stores))
        return self.contexts[-1]

    def _watch(self, windows: OpenWindows | OpenSessions, idle_ms: int | None) -> None:
        self._windows.append(windows)
        if idle_ms is not None:
            self._idle_ms = idle_ms if self._idle_ms is None else min(self._idle_ms, idle_ms)

    def has_store(self, name: str) -> bool:
        """Whether one of the steps has a store of this name."""
        return name in self._stores

    def committed(self, name: str) -> Reader[Any] | None:
        """What is committed of the store of a step or of a table, for any thread, if there is one of this name."""
        store = self._tables[name].store if name in self._tables else self._stores.get(name)
        return None if store is None else Committed(store)

    def committed_store(self, name: str) -> tuple[Kept, Reader[Any]] | None:
        """How a processor's store of this name is kept, and what is committed of it, if there is one here."""
        return self._of_processors.get(name)

    def table(self, topic: str) -> TableStore[Any, Any]:
        """The content of a table."""
        return self._tables[topic]

    def reader(self, table: str) -> TableReader[Any]:
        """The content of a table or a global table."""
        return self._tables[table] if table in self._tables else self._global_tables[table]

    def process(self, topic: str, records: Sequence[Record]) -> None:
        """Process consecutive records of one stream topic; outputs are appended, state changes wait for `commit`.

        Raises ProcessingFailed for a record that cannot be read or that a step failed on, unless a handler says what to
        do with it.
        """
        before = len(self._outputs)
        self._processes[topic](records)
        self.counters.processed(topic, records, len(self._outputs) - before)
        self.positions[topic] = records[-1].offset() + 1
        self._active = True

    def on_clock(self, now_ms: int) -> bool:
        """Do what the clock makes due; say whether anything was done. `now_ms`: milliseconds since 1970."""
        self.clock_ms = now_ms
        due = [function for context, function in self._functions.clocked if context.is_due_by_clock(now_ms)]
        if self._are_idle_windows_due(now_ms):
            due += self._functions.closers
        before = len(self._outputs)
        for function in due:
            function()
        self.counters.counts.produced += len(self._outputs) - before
        return bool(due)

    def _are_idle_windows_due(self, now_ms: int) -> bool:
        """Let the time that closes windows follow the clock if nothing has come for long enough.

        From the first call without any record in between, it is as far behind the clock as the windows' `idle`.
        """
        if self._active or self._idle_ms is None:
            self._active, self._idle_since = False, now_ms
            return False
        if now_ms - self._idle_since < self._idle_ms or now_ms - self._idle_ms <= self.time.now:
            return False
        self.time.reach(now_ms - self._idle_ms)
        return any(windows.due <= self.time.now for windows in self._windows)

    def update_table(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's topic, for good."""
        table = self._tables[topic]
        for record in records:
            try:
                table.apply(record)
            except SerdeError as error:
                # Of a table whose changes flow on, this was dealt with when it was processed.
                if topic not in self._flowing:
                    self.unreadable(record, error)
        table.store.commit()
        self._note(topic, records[-1].offset() + 1)

    def restore(self, topic: str, records: Sequence[Record]) -> None:
        """Fold consecutive records of a table's or a journal's topic that were written before this task began."""
        if topic in self._tables:
            self.update_table(topic, records)
        elif topic in self._changelogs:
            self._restore_changes(topic, records)
        else:
            self._replay(topic, records)

    def _restore_changes(self, topic: str, records: Sequence[Record]) -> None:
        """Take over changes as they are: they need not be decoded."""
        store, end = self._changelogs[topic], records[-1].offset() + 1
        entries = [(store.backend_key(key), record.value()) for record in records if (key := record.key()) is not None]
        self._backend.write(entries, {(topic, self.partition): end})
        self._folded[topic] = end

    def _replay(self, topic: str, records: Sequence[Record]) -> None:
        serde, apply = self._journals[topic]
        for record in records:
            key, value = record.key(), record.value()
            # What this application wrote itself is readable, or its state is lost: no dead letters here.
            if key is None or value is None:
                raise SerdeError(f"{_place(record)} has no key or no value, so it is no event of this application")
            apply(key, serde.decode(value))
        self._commit_stores()
        self._note(topic, records[-1].offset() + 1)

    def flush(self) -> None:
        """Append the changes of state to the outputs: what is committed next has to have them."""
        for topic, store in self._changelogs.items():
            try:
                for key, value in store.changes():
                    self.emit((topic, self.partition, key, value, None, 0))
            except Exception as error:
                raise self._stopped(None, Unwritable(topic, None, repr(error))) from error

    def commit(self, ends: dict[tuple[str, int], int]) -> None:
        """Keep what was done: the outputs are committed, `ends` are the next offsets of journals and changelogs."""
        self._commit_stores()
        self.time.commit()
        for topic in self._flowing:
            if self.positions.get(topic, 0) != self.committed_positions.get(topic, 0):
                self._note(topic, self.positions[topic])
        self.committed_positions.update(self.positions)
        for topic in (*self._journals, *self._changelogs):
            end = ends.get((topic, self.partition))
            if end is not None:
                self._note(topic, end)

    def rollback(self) -> list[str]:
        """Undo what was done since the last commit; return the stream topics to be read again."""
        for store in self._transactional:
            store.rollback()
        self.time.rollback()
        self.counters.rollback()
        self._time_has_changed()
        moved = list(self.moved_positions())
        self.positions = dict(self.committed_positions)
        return moved

    def start_at(self, topic: str, offset: int, time_ms: int = -1) -> None:
        """Set the committed position of a stream topic, and the time that the task had reached."""
        self.positions[topic] = self.committed_positions[topic] = offset
        self.time.reach(time_ms)
        self.time.commit()
        self._time_has_changed()

    def moved_positions(self) -> dict[str, int]:
        """The positions of the stream topics that were processed since the last commit."""
        committed = self.committed_positions
        moved = {topic: offset for topic, offset in self.positions.items() if offset != committed.get(topic)}
        # The time is kept beside the offsets, so it needs one of them where only the clock has moved it.
        return moved if moved or self.time.now == self.time.committed else dict(self.positions)

    def write(self) -> None:
        """Write committed state to the backend, with the offsets up to which it is folded, in one atomic write."""
        if self._unwritten_offsets:
            stores = self.stores()
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
        self._time_mark = self.time.now
        for store in self._transactional:
            store.mark()

    def undo(self, record: Record, error: Exception) -> None:
        """Take back what a record did before a step failed on it, and do with it what the handler says."""
        del self._outputs[self._mark :]
        for store in self._transactional:
            store.undo()
        self.time.now = self._time_mark
        self._time_has_changed()
        if isinstance(error, ProcessingFailed):
            raise error
        self._count_error(error)
        self._handle(self._topology.handling.failed, "TRANSFORMATION", record, error)

    def unreadable(self, record: Record, error: SerdeError) -> None:
        """Do with a record that cannot be read what the handler says."""
        self._count_error(error)
        self._handle(self._topology.handling.unreadable, "VALUE_CONVERTER", record, error)

    def unwritable(self, record: Record | None, topic: str, error: Exception) -> None:
        """Leave out an output that no serde can write, and do with its record what the handler says."""
        unwritable = Unwritable(topic, None, repr(error))
        unwritable.__cause__ = error
        self._count_error(error)
        self._leave_out(record, unwritable)

    def refused(self, record: Record | None, output: Output, error: Unwritable) -> None:
        """Leave out an output that the cluster does not take, and do with its record what the handler says.

        `record`: the one that was processed; None where the clock or the commit made the output. What state is rebuilt
        from is never left out, and neither is a dead letter.
        """
        if output[0] in {*self._journals, *self._changelogs, self._topology.handling.dead_letters}:
            raise self._stopped(record, error) from error
        self._leave_out(record, error)

    def late(self, record: Record | None) -> None:
        """Count a record whose window has closed."""
        self.counters.counts.late += 1

    def without_key(self, record: Record) -> None:
        """Do with a record that has no key, where one is needed, what the handler says."""
        self.unreadable(record, SerdeError("the record has no key"))

    def failed(self, record: Record, error: Exception) -> NoReturn:
        """Stop at a record."""
        if isinstance(error, ProcessingFailed):
            raise error
        if (topic := self._topology.program.topic_of(error)) is not None:
            raise self._stopped(record, Unwritable(topic, None, repr(error))) from error
        raise ProcessingFailed(f"{_place(record)} cannot be processed: {error!r}") from error

    def _leave_out(self, record: Record | None, error: Unwritable) -> None:
        handler = self._topology.handling.unwritable
        if record is not None:
            self._handle(handler, "KAFKA_PRODUCE", record, error)
        elif handler is OnError.SKIP:
            self._skip(None, error)
        else:
            raise self._stopped(None, error) from error

    def _handle(self, handler: ErrorHandler, stage: str, record: Record, error: Exception) -> None:
        match answer(handler, record, error):
            case OnError.FAIL:
                raise self._stopped(record, error) from error
            case OnError.SKIP:
                self._skip(record, error)
            case OnError.DEAD_LETTER:
                self.counters.counts.dead_letters += 1
                headers = dead_letter_headers(record, self._topology.application, stage, error)
                topic = self._topology.handling.dead_letters
                self.emit((topic, -1, record.key(), record.value(), headers, record.timestamp()[1]))

    def _skip(self, record: Record | None, error: Exception) -> None:
        self.counters.counts.skipped += 1
        log.warning(
            "output skipped" if isinstance(error, Unwritable) else "record skipped",
            application=self._topology.application,
            record=_place(record),
            reason=str(error),
        )

    def _stopped(self, record: Record | None, error: Exception) -> ProcessingFailed:
        return ProcessingFailed(f"{_place(record)} stops {self._topology.application}: {error}")

    def _count_error(self, error: Exception) -> None:
        operators = self.counters.operators
        if operators is not None and (number := self._topology.program.step_of(error)) is not None:
            operators.errors[number] += 1

    def _time_has_changed(self) -> None:
        for watched in (*self._windows, *self.contexts):
            watched.reset()

    def _commit_stores(self) -> None:
        for store in self._transactional:
            store.commit()

    def _note(self, topic: str, offset: int) -> None:
        self._folded[topic] = offset
        self._unwritten_offsets[topic, self.partition] = offset


def _place(record: Record | None) -> str:
    if record is None:
        return "what no record made"
    return f"record {record.offset()} of {record.topic()}-{record.partition()}"
