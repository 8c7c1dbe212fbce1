"""Joins of two streams: records of one key meet when their times are close enough."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.operators.function import Function
from tailrace.streams.operators.join_tables import Join
from tailrace.streams.operators.pair import join_call
from tailrace.streams.operators.sink import encoded
from tailrace.streams.state.join_buffer import EntriesSerde, JoinBuffer
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, StoreSpec
from tailrace.streams.windows import JoinWindow

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class StreamJoin:
    """What both sides of a join know of it."""

    name: str
    window: JoinWindow
    kind: Join
    joiner: Function
    key: Serde[Any]

    def keeps(self, is_left: bool) -> bool:
        """Whether records of a side are passed on that nobody has met."""
        return self.kind is Join.OUTER or (self.kind is Join.LEFT and is_left)

    def open_ms(self, is_left: bool) -> int:
        """How long a record of a side can be met: until time is so much after it."""
        return (self.window.after_ms if is_left else self.window.before_ms) + self.window.grace_ms + 1

    @property
    def bucket_ms(self) -> int:
        """How long the spans are that records are kept together by."""
        return self.window.before_ms + self.window.after_ms + 1

    def store(self, is_left: bool) -> str:
        """Name of the store of a side's records."""
        return f"{self.name}-{'left' if is_left else 'right'}"

    def lonely(self, is_left: bool) -> str:
        """Name of the store of those that nobody has met."""
        return f"{self.store(is_left)}-lonely"

    def buffer(self, task: "Task", is_left: bool) -> JoinBuffer:
        """A side's records in a task."""
        open_ms = self.open_ms(is_left)
        records = task.open_windows(self.store(is_left), self.bucket_ms + open_ms, None)
        lonely = task.open_windows(self.lonely(is_left), open_ms, None) if self.keeps(is_left) else None
        return JoinBuffer(records, lonely, self.bucket_ms, open_ms)

    def call(self, code: Code, key: str, mine: str, other: str, is_left: bool) -> str:
        """The expression for the result of two records."""
        sides = (mine, other) if is_left else (other, mine)
        return join_call(code, key, *sides, self.joiner)


@dataclass(frozen=True, eq=False)
class JoinStreamSide:
    """Keeps the records of one side, and joins each with those of the other side that are close enough."""

    join: StreamJoin
    value: Serde[Any]
    is_left: bool

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        retention_ms = self.join.bucket_ms + self.join.open_ms(self.is_left) + CHANGELOG_EXTRA_MS
        names = [self.join.store(self.is_left)]
        if self.join.keeps(self.is_left):
            names.append(self.join.lonely(self.is_left))
        return tuple(StoreSpec(name, EntriesSerde(self.value), True, retention_ms) for name in names)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        time, mine, other = code.member("time"), self._buffer(code, self.is_left), self._buffer(code, not self.is_left)
        close = code.closer(id(self.join), lambda body: self._close(body, forward))
        with code.keyed(flow):
            code.advance_time(flow)
            with code.block(f"if {time}.now >= {mine}.due or {time}.now >= {other}.due:"):
                code.line(f"{close}()")
            with code.block(f"if {flow.timestamp} + {self.join.open_ms(self.is_left)} <= {time}.now:"):
                code.line(f"{code.member('late')}({flow.record})")
            with code.block("else:"):
                self._meet(code, flow, mine, other, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"{self.join.kind.value} {self.join.name} as {'left' if self.is_left else 'right'}"

    def _meet(self, code: Code, flow: Flow, mine: str, other: str, forward: Forward) -> None:
        window = self.join.window
        back, ahead = (window.before_ms, window.after_ms) if self.is_left else (window.after_ms, window.before_ms)
        data = encoded(code, self.value, flow.value, flow.value_bytes, flow.value_serde, nullable=False)
        data = code.assign("data", data)
        record = f"{flow.timestamp}, {flow.value}, {data}"
        number = code.assign("number", f"{mine}.add({flow.key_bytes}, {record})")
        span = f"{flow.timestamp} - {back}, {flow.timestamp} + {ahead}"
        met = code.assign("met", f"{other}.meet({flow.key_bytes}, {span}, {code.member('time')}.now)")
        moment, value = code.names.new("moment"), code.names.new("other")
        with code.block(f"for {moment}, {value}, _ in {met}:"):
            joined = code.assign("value", self.join.call(code, flow.key, flow.value, value, self.is_left))
            latest = code.assign("timestamp", f"max({flow.timestamp}, {moment})")
            forward(code, replace(flow, value=joined, value_bytes=None, timestamp=latest))
        if self.join.keeps(self.is_left):
            with code.block(f"if not {met}:"):
                wait = f"{flow.key_bytes}, {flow.timestamp}, {number}, {flow.value}, {data}"
                code.line(f"{mine}.wait({wait})")

    def _close(self, code: Code, forward: Forward) -> None:
        """Write how what cannot be met any more is let go of, and what nobody has met passed on."""
        for is_left in (True, False):
            moment, key_bytes, value = (code.names.new(name) for name in ("moment", "key_bytes", "value"))
            closed = f"{self._buffer(code, is_left)}.closed({code.member('time')}.now)"
            with code.block(f"for {moment}, {key_bytes}, {value} in {closed}:"):
                if self.join.keeps(is_left):
                    key = f"{code.constant(self.join.key.decode, 'decode')}({key_bytes})"
                    joined = code.assign("value", self.join.call(code, key, value, "None", is_left))
                    forward(code, Flow(key, joined, moment, "None", key_bytes, None, self.join.key))

    def _buffer(self, code: Code, is_left: bool) -> str:
        join = self.join
        return code.shared(("buffer", id(join), is_left), lambda task: join.buffer(task, is_left), "buffer")
