"""Sources: the topics that a topology reads, as streams of records or as tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from re import Pattern
from typing import Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Node, Stateless
from tailrace.streams.record import Record
from tailrace.streams.state.kept import Kept, KeptByKey
from tailrace.streams.state.table import Entry

# Milliseconds since 1970 of a record; its second argument is the decoded value.
TimestampExtractor = Callable[[Record, Any], int]


@dataclass(frozen=True, eq=False)
class StreamSource(Stateless):
    """Reads topics as a stream, or those that `pattern` means. A record without a value is unreadable, unless
    `nullable`.
    """

    topics: tuple[str, ...]
    key: Serde[Any]
    value: Serde[Any]
    timestamp: TimestampExtractor | None = None
    nullable: bool = False
    pattern: Pattern[str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it reads, in words: its topics, or the pattern."""
        return self.topics if self.pattern is None else (self.pattern.pattern,)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator; how records are read is written by the program that this step begins."""
        forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"stream {'of topics like ' if self.pattern else ''}{', '.join(self.names)}"


@dataclass(frozen=True, eq=False)
class TableSource(Stateless):
    """Reads a topic as a table: the latest value of each key. The topic is the table's changelog."""

    topic: str
    key: Serde[Any]
    value: Serde[Any]
    timestamp: None = None
    nullable: bool = True
    pattern: None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """Its topic, as of a stream."""
        return (self.topic,)

    @property
    def names(self) -> tuple[str, ...]:
        """See StreamSource."""
        return (self.topic,)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator; for a table whose changes flow on, or that is joined. Others are only folded (TableStore)."""
        with code.keyed(flow):
            before = self._entry(code, flow.key_bytes)
            place = f"{flow.record}.partition(), {flow.record}.offset(), {flow.timestamp}, {flow.value_bytes}"
            entry = f"{code.constant(Entry, 'Entry')}({flow.value}, {place})"
            put = code.table(self.topic, "put")
            code.line(f"{put}({flow.key_bytes}, None if {flow.value} is None else {entry})")
            forward(code, replace(flow, old=f"(None if {before} is None else {before}.value)"))

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        entry = self._entry(code, key_bytes)
        return code.assign("other", f"None if {entry} is None else {entry}.value")

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptByKey(self.topic, key, attrgetter("value"))

    def describe(self) -> str:
        """See Operator."""
        return f"table {self.topic}"

    def _entry(self, code: Code, key_bytes: str | None) -> str:
        return code.assign("entry", f"{code.table(self.topic, 'get')}({key_bytes})")
