"""A task: one partition number of all of a sub-topology's topics, its state, and the code that processes its records.

A task knows no consumer and no producer: records come in, outputs are appended to a list, and whoever runs it says when
what it did is committed or rolled back. The runtime and the test driver run the same task.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from tailrace.clock import now_ms
from tailrace.registry.errors import SerdeError
from tailrace.streams.errors import Unwritable
from tailrace.streams.failures import Failures, place
from tailrace.streams.metrics.counters import OperatorCounters, TaskCounters
from tailrace.streams.output import Output
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

# Before the name of a stream topic, among the offsets of topics that state comes from: how far it was read.
READ = "read "


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
            spec.name: Store(spec.name, backend, spec.value.encode, spec.value.decode, cached=spec.cached)
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
        self._is_changed = False
        # Next offset to fold into the state, by table and journal topic, as far as it is committed; see also READ.
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
        rebuilt_from = frozenset([*topology.journals, *self._changelogs])
        self.failures = Failures(topology, self.counters, self.emit, rebuilt_from)
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

    def read(self, topic: str) -> int:
        """How far a stream topic was read in an earlier life of this state: what was committed and written then."""
        return self._folded.get(READ + topic, 0)

    def has_changes(self) -> bool:
        """Whether anything is in a store that has a changelog, which was committed with offsets then."""
        return any(store.first(b"") is not None for store in self._changelogs.values())

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
        if name in self._of_processors:
            return self._of_processors[name][1]
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
                    self.failures.unreadable(record, error)
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
                raise SerdeError(f"{place(record)} has no key or no value, so it is no event of this application")
            apply(key, serde.decode(value))
        self._commit_stores()
        self._note(topic, records[-1].offset() + 1)

    def flush(self) -> None:
        """Append the changes of state to the outputs: what is committed next has to have them."""
        for topic, store in self._changelogs.items():
            try:
                for key, value in store.changes():
                    self._is_changed = True
                    self.emit((topic, self.partition, key, value, None, 0))
            except Exception as error:
                raise self.failures.stopped(None, Unwritable(topic, None, repr(error))) from error

    def commit(self, ends: dict[tuple[str, int], int]) -> None:
        """Keep what was done: the outputs are committed, `ends` are the next offsets of journals and changelogs."""
        self._commit_stores()
        self._is_changed = False
        self.time.commit()
        for topic, offset in self.positions.items():
            if offset != self.committed_positions.get(topic, 0):
                self._unwritten_offsets[READ + topic, self.partition] = offset
                if topic in self._flowing:
                    self._note(topic, offset)
        self.committed_positions.update(self.positions)
        for topic in (*self._journals, *self._changelogs):
            end = ends.get((topic, self.partition))
            if end is not None:
                self._note(topic, end)

    def rollback(self) -> list[str]:
        """Undo what was done since the last commit; return the stream topics to be read again."""
        for store in self._transactional:
            store.rollback()
        self._is_changed = False
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
        # The time is kept beside the offsets, so it needs one of them where only the clock has moved it. And all of
        # them go with changes of state: where there is state, and no offset of any topic, they were lost.
        is_by_clock = not moved and self.time.now != self.time.committed
        return dict(self.positions) if self._is_changed or is_by_clock else moved

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
        self.failures.undone(record, error)

    def late(self, record: Record | None) -> None:
        """Count a record whose window has closed."""
        self.counters.counts.late += 1

    def _time_has_changed(self) -> None:
        for watched in (*self._windows, *self.contexts):
            watched.reset()

    def _commit_stores(self) -> None:
        for store in self._transactional:
            store.commit()

    def _note(self, topic: str, offset: int) -> None:
        self._folded[topic] = offset
        self._unwritten_offsets[topic, self.partition] = offset
