"""Run a topology in a test without a broker: the tasks are those of production, the topics are lists.

driver = TopologyDriver(topology)
driver.pipe("payments", "alice", Payment(...))
assert driver.read("fraudulent-payments") == [("alice", Payment(...))]
"""

from collections.abc import Callable
from typing import Any

from confluent_kafka import Message

from tailrace.clock import Clock, now_ms
from tailrace.registry.serde import Serde
from tailrace.streams.state.backend import Backend, MemoryBackend
from tailrace.streams.state.table import TableStore
from tailrace.streams.task import Output, Task, key_of
from tailrace.streams.topology import Topology


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
    """One task of a topology, partition 0. `backend`: where state is kept; memory unless given."""

    def __init__(self, topology: Topology, *, backend: Backend | None = None, clock: Clock = now_ms) -> None:
        self._topology = topology
        self._clock = clock
        self._backend = backend or MemoryBackend()
        self._outputs: list[Output] = []
        self._read: dict[str, int] = {}
        self.log: dict[str, list[Any]] = {topic: [] for topic in topology.topics()}
        self._globals = {
            topic: TableStore(topic, MemoryBackend(), table.value.decode)
            for topic, table in topology.global_tables.items()
        }
        self.task = self._new_task(self._backend)

    def pipe(self, topic: str, key: str | bytes | None, value: Any, *, commit: bool = True) -> None:
        """Append a record and process it; a `value` that is not bytes is encoded as the topology reads it.

        Without `commit` its effects wait for the next `commit`, or go with `rollback`.
        """
        data = value if value is None or isinstance(value, bytes) else self._input(topic).encode(value)
        record = self._append(topic, key.encode() if isinstance(key, str) else key, data)
        if topic in self._topology.sources:
            self.task.process(topic, [record])
        elif topic in self._topology.tables:
            self.task.update_table(topic, [record])
        else:
            self._globals[topic].apply(key_of(record), record)
            self._globals[topic].store.commit()
        if commit:
            self.commit()

    def commit(self) -> None:
        """Commit what was processed: outputs become readable."""
        for topic, _, key, value, headers in self._outputs:
            self._append(topic, key, value, headers)
        self._outputs.clear()
        self.task.commit({(topic, 0): len(self.log[topic]) for topic in self._topology.journals})

    def rollback(self) -> None:
        """Undo what was processed since the last commit."""
        self._outputs.clear()
        self.task.rollback()

    def read(self, topic: str) -> list[tuple[str, Any]]:
        """The records of an output topic since the last call, decoded."""
        records = self.read_raw(topic)
        decode: Callable[[bytes], Any] = self._topology.sinks[topic].decode
        return [(record.key().decode(), decode(record.value())) for record in records]

    def read_raw(self, topic: str) -> list[Any]:
        """The records of a topic since the last call, as they are."""
        start = self._read.get(topic, 0)
        self._read[topic] = len(self.log[topic])
        return self.log[topic][start:]

    def restart(self, *, backend: Backend | None = None) -> int:
        """Replace the task by one that catches up from the topics, as after a crash; return the records it folded.

        `backend`: the state that the crash left; what was written last unless given.
        """
        self._outputs.clear()
        self.task = self._new_task(backend or self._backend)
        count = 0
        for topic, offset in self.task.folded.items():
            records = self.log[topic][offset:]
            if records:
                self.task.restore(topic, records)
            count += len(records)
        return count

    def _input(self, topic: str) -> Serde[Any]:
        for inputs in (self._topology.sources, self._topology.tables, self._topology.global_tables):
            if topic in inputs:
                return inputs[topic].value
        raise KeyError(f"{self._topology.name} reads no topic {topic}")

    def _append(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = None) -> Any:
        log = self.log[topic]
        log.append(
            Message(
                topic=topic,
                partition=0,
                offset=len(log),
                key=key,
                value=value,
                headers=headers,
                timestamp=(1, self._clock()),
            )
        )
        return log[-1]

    def _new_task(self, backend: Backend) -> Task:
        return Task(self._topology, 0, backend, self._outputs.append, self._globals)
