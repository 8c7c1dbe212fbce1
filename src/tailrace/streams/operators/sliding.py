"""Aggregates of the values of a key within sliding windows: of all that are close enough in time to be seen at once."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tailrace.registry.serde import MsgpackSerde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.operators.aggregate import added, results
from tailrace.streams.operators.window import AggregateInWindows
from tailrace.streams.state.sliding import SlidingWindows, Times
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, StoreSpec
from tailrace.streams.windows import Emit, Sliding

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class AggregateSliding(AggregateInWindows):
    """Aggregates by windows that the records define. A value is dropped, and counted, if all windows that could hold it
    have closed.
    """

    windows: Sliding

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        if not self.owns_store:
            return ()
        retention_ms = SlidingWindows.kept_ms(self.windows.size_ms, self.length_ms) + CHANGELOG_EXTRA_MS
        return (
            StoreSpec(self.store, self.value, True, retention_ms),
            StoreSpec(self._past, self.value, True, retention_ms),
            StoreSpec(self._times, MsgpackSerde(Times), True, retention_ms),
        )

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        time, windows = code.member("time"), code.shared(("windows", self.store), self._sliding_windows, "windows")
        close = code.closer(self.store, lambda body: self.close(body, windows, forward))
        with code.keyed(flow), code.block(f"if {flow.value} is not None:"):
            code.advance_time(flow)
            with code.block(f"if {time}.now >= {windows}.due:"):
                code.line(f"{close}()")
            with code.block(f"if {flow.timestamp} + {self.length_ms} <= {time}.now:"):
                code.line(f"{code.member('late')}({flow.record})")
            with code.block("else:"):
                self._add(code, flow, windows, forward)

    def describe(self) -> str:
        """See Operator."""
        return (
            f"aggregate {type(self.aggregate).__name__} in {self.store} by sliding windows of {self.windows.difference}"
        )

    @property
    def _past(self) -> str:
        return f"{self.store}-past"

    @property
    def _times(self) -> str:
        return f"{self.store}-times"

    def _sliding_windows(self, task: "Task") -> SlidingWindows:
        kept_ms = SlidingWindows.kept_ms(self.windows.size_ms, self.length_ms)
        return SlidingWindows(
            task.open_windows(self.store, self.length_ms, self.windows.idle_ms),
            task.open_windows(self._past, kept_ms, None),
            task.open_windows(self._times, kept_ms, None),
            self.windows.difference_ms,
            self.length_ms,
        )

    def _add(self, code: Code, flow: Flow, windows: str, forward: Forward) -> None:
        start, before, old, holds = (code.names.new(name) for name in ("start", "before", "old", "holds"))
        touched = f"{windows}.touched({flow.key_bytes}, {flow.timestamp})"
        with code.block(f"for {start}, {before}, {old}, {holds} in {touched}:"):
            after = code.assign("after", before)
            with code.block(f"if {holds}:"):
                code.line(f"{after} = {added(code, flow, self.aggregate, before)}")
            is_open = f"{windows}.put({start}, {flow.key_bytes}, {after}, {code.member('time')}.now)"
            if self.passes is Emit.CLOSE:
                code.line(is_open)
                return
            with code.block(f"if {is_open}:"):
                value, former = results(code, self.aggregate, old, after)
                forward(code, self.windowed(code, replace(flow, value=value, old=former), start, flow.key))
