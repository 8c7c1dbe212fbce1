"""Aggregates of the values of a key within sessions: records that are not far apart in time."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde
from tailrace.streams.aggregates import Aggregate
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Node
from tailrace.streams.operators.aggregate import added, found, result_of, results
from tailrace.streams.state.kept import Kept, KeptBySession
from tailrace.streams.state.sessions import SessionsSerde
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, StoreSpec
from tailrace.streams.windows import START, Emit, Sessions, SessionSerde, Windowed

if TYPE_CHECKING:
    from tailrace.streams.state.sessions import OpenSessions
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class AggregateSessions:
    """Keeps an aggregate for each session of a key, and passes it on with every value, or once when the session closes.

    When a record makes sessions longer, or one of several, those that were there before have no value any more.
    """

    store: str
    aggregate: Aggregate[Any, Any]
    key: Serde[Any]
    value: Serde[Any]
    sessions: Sessions
    passes: Emit
    owns_store: bool = True

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        spec = StoreSpec(self.store, SessionsSerde(self.value), True, self._open_ms + CHANGELOG_EXTRA_MS)
        return (spec,) if self.owns_store else ()

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        time, sessions = code.member("time"), code.shared(("sessions", self.store), self._open_sessions, "sessions")
        close = code.closer(self.store, lambda body: self._close(body, sessions, forward))
        with code.keyed(flow), code.block(f"if {flow.value} is not None:"):
            code.advance_time(flow)
            with code.block(f"if {flow.timestamp} + {self._open_ms} <= {time}.now:"):
                code.line(f"{code.member('late')}({flow.record})")
            with code.block("else:"):
                self._add(code, flow, sessions, forward)
            with code.block(f"if {time}.now >= {sessions}.due:"):
                code.line(f"{close}()")

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        sessions = code.shared(("sessions", self.store), self._open_sessions, "sessions")
        return found(code, self.aggregate, f"{sessions}.at({key_bytes})")

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptBySession(self.store, self.key, result_of(self.aggregate))

    def describe(self) -> str:
        """See Operator."""
        return f"aggregate {type(self.aggregate).__name__} in {self.store} by sessions {self.sessions.gap} apart"

    @cached_property
    def key_of_windows(self) -> Serde[Any]:
        """How keys within sessions are written."""
        return SessionSerde(self.key)

    @property
    def _open_ms(self) -> int:
        return self.sessions.gap_ms + self.sessions.grace_ms + 1

    def _open_sessions(self, task: "Task") -> "OpenSessions":
        return task.open_sessions(self.store, self.sessions.gap_ms, self._open_ms, self.sessions.idle_ms)

    def _add(self, code: Code, flow: Flow, sessions: str, forward: Forward) -> None:
        met, first, last = (code.names.new(name) for name in ("met", "first", "last"))
        code.line(f"{met}, {first}, {last} = {sessions}.met({flow.key_bytes}, {flow.timestamp})")
        before = code.assign("before", f"{code.constant(self._merged, 'merged')}({met})")
        after = added(code, flow, self.aggregate, before)
        code.line(f"{sessions}.replace({flow.key_bytes}, {met}, ({first}, {last}, {after}))")
        if self.passes is Emit.UPDATE:
            start, end, value, old = (code.names.new(name) for name in ("start", "end", "value", "old"))
            changes = f"{code.constant(self._changes, 'changes')}({first}, {last}, {met}, {after})"
            with code.block(f"for {start}, {end}, {value}, {old} in {changes}:"):
                changed = replace(flow, value=value, value_bytes=None, old=old)
                forward(code, self._windowed(code, changed, start, end, flow.key))

    def _merged(self, sessions: list[tuple[int, int, Any]]) -> Any:
        """The aggregate of sessions that have become one; None of none."""
        merged = None
        for _, _, aggregate in sessions:
            merged = aggregate if merged is None else self.aggregate.merge(merged, aggregate)  # type: ignore[attr-defined]
        return merged

    def _changes(
        self, first: int, last: int, met: list[tuple[int, int, Any]], after: Any
    ) -> list[tuple[int, int, Any, Any]]:
        """Start, end, result and former result of the sessions that have changed, those that are no more before it."""
        result = result_of(self.aggregate)
        same = [result(kept) for start, end, kept in met if (start, end) == (first, last)]
        gone = [(start, end, None, result(kept)) for start, end, kept in met if (start, end) != (first, last)]
        return [*gone, (first, last, result(after), same[0] if same else None)]

    def _close(self, code: Code, sessions: str, forward: Forward) -> None:
        """Write how sessions are closed whose time has come."""
        first, last, key_bytes, kept = (code.names.new(name) for name in ("first", "last", "key_bytes", "kept"))
        closed = f"{sessions}.closed({code.member('time')}.now)"
        with code.block(f"for {first}, {last}, {key_bytes}, {kept} in {closed}:"):
            if self.passes is Emit.CLOSE:
                value, _ = results(code, self.aggregate, "None", kept)
                key = f"{code.constant(self.key.decode, 'decode')}({key_bytes})"
                closing = Flow(key, value, last, "None", key_bytes, None, old="None")
                forward(code, self._windowed(code, closing, first, last, key))

    def _windowed(self, code: Code, flow: Flow, first: str, last: str, key: str) -> Flow:
        """The record under the key within its session."""
        encode = code.constant(START.encode, "encode_start")
        return replace(
            flow,
            key=f"{code.constant(Windowed, 'Windowed')}({key}, {first}, {last} + 1)",
            key_bytes=f"({flow.key_bytes} + {encode}({last}) + {encode}({first}))",
            value_bytes=None,
            key_serde=self.key_of_windows,
            value_serde=None,
        )
