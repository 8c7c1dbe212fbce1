"""Run a topology in a test without a broker: the tasks are those of production, the topics are lists.

driver = TopologyDriver(topology)
driver.pipe("payments", "alice", Payment(...))
assert driver.read("fraudulent-payments") == [("alice", Payment(...))]
"""

from typing import Any, TypeVar, overload

from confluent_kafka import Message

from tailrace.clock import Clock, now_ms
from tailrace.registry.serde import Serde
from tailrace.streams.output import Output
from tailrace.streams.plan import Plan
from tailrace.streams.queries import Queries
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.key_value import KeyValueStore
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.state.session_store import SessionStore
from tailrace.streams.state.store import Store
from tailrace.streams.state.table import TableStore
from tailrace.streams.state.window_store import WindowStore
from tailrace.streams.stored import AnyStored, Stored, StoredSessions, StoredWindows
from tailrace.streams.subtopology import SubTopology
from tailrace.streams.task import Task
from tailrace.streams.topology import Topology

K = TypeVar("K")
V = TypeVar("V")


class ManualClock:
    """A clock that moves when told to; milliseconds since 1970."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """The time."""
        return self.now_ms

    def advance(self, milliseconds: int) -> None:
        """Move on."""
        self.now_ms += milliseconds


class TopologyDriver:
    """One task of each sub-topology, partition 0, with state in memory. `log` has the records of all topics."""

    def __init__(self, topology: Topology, *, clock: Clock = now_ms) -> None:
        self._topology = topology
        self._plan = Plan(topology, topology.sinks)
        self._sinks = topology.sinks
        self._clock = clock
        self._outputs: list[Output] = []
        self._read: dict[str, int] = {}
        self.log: dict[str, list[Any]] = {}
        self._backends: dict[str, Backend] = {sub.name: MemoryBackend() for sub in self._plan.subtopologies}
        self._globals: dict[str, TableStore[Any, Any]] = {
            topic: TableStore(topic, MemoryBackend(), table.key, table.value)
            for topic, table in self._plan.global_tables.items()
        }
        self._tasks = {sub.name: self._new_task(sub) for sub in self._plan.subtopologies}

    def pipe(
        self,
        topic: str,
        key: Any,
        value: Any,
        *,
        timestamp: int | None = None,
        headers: Any = None,
        commit: bool = True,
    ) -> None:
        """Append a record and process it; what is not bytes is encoded as the topology reads it.

        `timestamp`: milliseconds since 1970; now unless given. Without `commit` its effects wait for the next `commit`,
        or go with `rollback`.
        """
        if self._is_new(topic):
            self.commit()
            self._read_also(topic)
        keys, values = self._input(topic)
        record = self._append(topic, _encoded(keys, key), _encoded(values, value), headers, timestamp)
        self._process(topic, record)
        if commit:
            self.commit()

    def commit(self) -> None:
        """Commit what was processed: outputs become readable, and go on to the steps that read them."""
        while True:
            for task in self._tasks.values():
                task.flush()
            ready = []
            for topic, _, key, value, headers, timestamp in self._outputs:
                record = self._append(topic, key, value, headers, timestamp)
                if topic in self._plan.of_topic or topic in self._globals or self._is_new(topic):
                    ready.append((topic, record))
            self._outputs.clear()
            for task in self._tasks.values():
                task.commit({(topic, 0): len(records) for topic, records in self.log.items()})
            if not ready:
                return
            for topic in dict.fromkeys(topic for topic, _ in ready if self._is_new(topic)):
                self._read_also(topic)
            for topic, record in ready:
                self._process(topic, record)

    def advance_wall_clock(self) -> None:
        """Do what the clock makes due, such as punctuations and the closing of idle windows, and commit."""
        for task in self._tasks.values():
            task.on_clock(self._clock())
        self.commit()

    def rollback(self) -> None:
        """Undo what was processed since the last commit."""
        self._outputs.clear()
        for task in self._tasks.values():
            task.rollback()

    def read(self, topic: str) -> list[tuple[Any, Any]]:
        """The keys and values of an output topic since the last call, decoded as the topology writes them."""
        sink = self._sinks[topic]
        return [(_decoded(sink.key, r.key()), _decoded(sink.value, r.value())) for r in self.read_raw(topic)]

    def read_raw(self, topic: str) -> list[Any]:
        """The records of a topic since the last call, as they are."""
        records = self.log.get(topic, [])
        start = self._read.get(topic, 0)
        self._read[topic] = len(records)
        return records[start:]

    @overload
    def processor_store(self, stored: Stored[V, K]) -> KeyValueStore[K, V]: ...

    @overload
    def processor_store(self, stored: StoredWindows[V, K]) -> WindowStore[K, V]: ...

    @overload
    def processor_store(self, stored: StoredSessions[V, K]) -> SessionStore[K, V]: ...

    def processor_store(self, stored: AnyStored) -> Any:
        """A store that a processor has, to be read and filled; what is put is kept by the next `commit`."""
        contexts = (context for task in self._tasks.values() for context in task.contexts)
        for context in contexts:
            if context.has_store(stored.name):
                return context.store(stored)
        raise KeyError(f"{self._plan.application} has no processor with a store {stored.name}")

    def store(self, name: str) -> Store[Any]:
        """A store of one of the steps, by keys as bytes."""
        return next(task for task in self._tasks.values() if task.has_store(name)).store(name)

    def queries(self) -> Queries:
        """The tables, as an application's other threads see them."""
        queries = Queries()
        queries.attach(self._tasks.values, lambda: self._globals)
        return queries

    def contents(self) -> dict[str, dict[bytes, bytes]]:
        """What all stores and tables hold, by name, as it is written; keys in order of bytes."""
        self.write()
        contents: dict[str, dict[bytes, bytes]] = {}
        for backend in self._backends.values():
            for key, value in backend.range(b"", b"\xff"):
                name, _, own = key.partition(b"\0")
                contents.setdefault(name.decode(), {})[own] = value
        return contents

    def write(self) -> None:
        """Write state to where it survives a restart, as the runtime does now and then."""
        for task in self._tasks.values():
            task.write()

    def restart(self, *, lose_state: bool = False) -> int:
        """Replace the tasks by ones that catch up from the topics, as after a crash; return the records they folded.

        State is as it was written last, or gone when `lose_state`.
        """
        self._outputs.clear()
        count = 0
        for sub in self._plan.subtopologies:
            if lose_state:
                self._backends[sub.name] = MemoryBackend()
            positions, time_ms = self._tasks[sub.name].committed_positions, self._tasks[sub.name].time.committed
            task = self._tasks[sub.name] = self._new_task(sub)
            for topic, offset in task.folded.items():
                # What is processed is folded as far as it is committed, all else to its end.
                end = positions.get(topic, 0) if topic in sub.streams else None
                records = self.log.get(topic, [])[offset:end]
                if records:
                    task.restore(topic, records)
                count += len(records)
            for topic, position in positions.items():
                task.start_at(topic, position, time_ms)
        return count

    def _process(self, topic: str, record: Any) -> None:
        if topic in self._globals:
            self._globals[topic].apply(record)
            self._globals[topic].store.commit()
            return
        sub = self._plan.of_topic[topic]
        task = self._tasks[sub.name]
        if topic in sub.streams:
            task.process(topic, [record])
        else:
            task.update_table(topic, [record])

    def _is_new(self, topic: str) -> bool:
        """Whether a pattern means a topic that is not read yet."""
        return topic not in self._plan.of_topic and any(self._plan.matches_in([topic]).values())

    def _read_also(self, topic: str) -> None:
        """Start over with a plan that has one more topic, when all is committed."""
        self._plan = Plan(self._topology, [*self._plan.of_topic, topic])
        self.restart()

    def _input(self, topic: str) -> tuple[Serde[Any], Serde[Any]]:
        if topic in self._plan.of_topic:
            source = self._plan.of_topic[topic].sources[topic]
            return source.key, source.value
        if topic in self._plan.global_tables:
            return self._plan.global_tables[topic].key, self._plan.global_tables[topic].value
        raise KeyError(f"{self._plan.application} reads no topic {topic}")

    def _append(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None, timestamp: int | None = None
    ) -> Any:
        log = self.log.setdefault(topic, [])
        time_ms = self._clock() if timestamp is None else timestamp
        log.append(
            Message(
                topic=topic,
                partition=0,
                offset=len(log),
                key=key,
                value=value,
                headers=headers,
                timestamp=(1, time_ms),
            )
        )
        return log[-1]

    def _new_task(self, sub: SubTopology) -> Task:
        return Task(sub, 0, self._backends[sub.name], self._outputs, self._globals)


def _encoded(serde: Serde[Any], value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else serde.encode(value)


def _decoded(serde: Serde[Any], data: bytes | None) -> Any:
    return None if data is None else serde.decode(data)
