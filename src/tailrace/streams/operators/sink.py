"""Sinks: write values to a topic, or each to the topic for its type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde
from tailrace.streams.record import Process, Record

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class Sink:
    """Writes values to `topic` with the record's key.

    A journal's records go to the task's own partition, wherever a key would hash to: state is restored from there.
    """

    topic: str
    value: Serde[Any]
    is_journal: bool

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        topic, encode, emit = self.topic, self.value.encode, task.emit
        partition = task.partition if self.is_journal else -1

        def process(key: str, value: Any, record: Record) -> None:
            emit((topic, partition, key.encode(), encode(value), None))

        return process

    def describe(self) -> str:
        """See Operator."""
        return f"to {self.topic}"


@dataclass(frozen=True, eq=False)
class Router:
    """Hands each value to the sink for its type; a value of another type is a mistake and raises KeyError."""

    sinks: Mapping[type, Sink]

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        by_type = {kind: sink.bind(task, forward) for kind, sink in self.sinks.items()}

        def process(key: str, value: Any, record: Record) -> None:
            by_type[type(value)](key, value, record)

        return process

    def describe(self) -> str:
        """See Operator."""
        return "to " + ", ".join(f"{sink.topic} ({kind.__name__})" for kind, sink in self.sinks.items())
