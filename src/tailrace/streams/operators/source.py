"""Sources: the topics that a topology reads, as streams of records or as tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Stateless
from tailrace.streams.record import Record

# Milliseconds since 1970 of a record; its second argument is the decoded value.
TimestampExtractor = Callable[[Record, Any], int]


@dataclass(frozen=True, eq=False)
class StreamSource(Stateless):
    """Reads topics as a stream. A record without a value is unreadable, unless `nullable`."""

    topics: tuple[str, ...]
    key: Serde[Any]
    value: Serde[Any]
    timestamp: TimestampExtractor | None = None
    nullable: bool = False

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator; how records are read is written by the program that this step begins."""
        forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"stream {', '.join(self.topics)}"


@dataclass(frozen=True, eq=False)
class TableSource(Stateless):
    """Reads a topic as a table that steps look things up in: the latest value of each key."""

    topic: str
    key: Serde[Any]
    value: Serde[Any]

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator; nothing flows out of a table that is only looked up."""

    def describe(self) -> str:
        """See Operator."""
        return f"table {self.topic}"
