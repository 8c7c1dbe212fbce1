"""Aggregates of the values of a key within windows of time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde
from tailrace.streams.aggregates import Aggregate
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Node
from tailrace.streams.operators.aggregate import added, found, result_of, results
from tailrace.streams.state.kept import Kept, KeptByWindow
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, StoreSpec
from tailrace.streams.windows import START, Emit, Hopping, OneSize, Windowed, WindowedSerde

if TYPE_CHECKING:
    from tailrace.streams.state.windows import OpenWindows
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class AggregateInWindows:
    """Keeps an aggregate for each key and window of one size, and passes it on with every value, or once when the
    window closes.
    """

    store: str
    aggregate: Aggregate[Any, Any]
    key: Serde[Any]
    value: Serde[Any]
    windows: OneSize
    passes: Emit
    owns_store: bool = True

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator; the store has the window's start before the key, records have it after."""
        kept = f"{code.store(self.store, 'get')}({key_bytes}[-8:] + {key_bytes}[:-8])"
        return found(code, self.aggregate, kept)

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptByWindow(self.store, self.key, self.windows.size_ms, result_of(self.aggregate))

    @cached_property
    def key_of_windows(self) -> Serde[Any]:
        """How keys within windows are written."""
        return WindowedSerde(self.key, self.windows.size_ms)

    @property
    def length_ms(self) -> int:
        """From a window's start until it closes."""
        return self.windows.size_ms + self.windows.grace_ms

    def close(self, code: Code, open_windows: str, forward: Forward) -> None:
        """Write how windows are closed whose time has come."""
        start, key_bytes, after = (code.names.new(name) for name in ("start", "key_bytes", "after"))
        closed = f"{open_windows}.closed({code.member('time')}.now)"
        with code.block(f"for {start}, {key_bytes}, {after} in {closed}:"):
            if self.passes is Emit.CLOSE:
                value, _ = results(code, self.aggregate, "None", after)
                key = f"{code.constant(self.key.decode, 'decode')}({key_bytes})"
                timestamp = f"{start} + {self.windows.size_ms - 1}"
                closing = Flow(key, value, timestamp, "None", key_bytes, None, old="None")
                forward(code, self.windowed(code, closing, start, key))

    def windowed(self, code: Code, flow: Flow, start: str, key: str) -> Flow:
        """The record under the key within its window."""
        windowed = f"{code.constant(Windowed, 'Windowed')}({key}, {start}, {start} + {self.windows.size_ms})"
        key_bytes = f"({flow.key_bytes} + {code.constant(START.encode, 'encode_start')}({start}))"
        return replace(
            flow, key=windowed, key_bytes=key_bytes, value_bytes=None, key_serde=self.key_of_windows, value_serde=None
        )


@dataclass(frozen=True, eq=False)
class AggregateWindows(AggregateInWindows):
    """Aggregates by windows that begin at fixed times; a value whose window has closed is dropped, and counted."""

    windows: Hopping

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        spec = StoreSpec(self.store, self.value, True, self.length_ms + CHANGELOG_EXTRA_MS)
        return (spec,) if self.owns_store else ()

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        time, open_windows = code.member("time"), code.shared(("windows", self.store), self._open_windows, "windows")
        close = code.closer(self.store, lambda body: self.close(body, open_windows, forward))
        with code.keyed(flow), code.block(f"if {flow.value} is not None:"):
            code.advance_time(flow)
            with self._each_window(code, flow) as start:
                with code.block(f"if {start} + {self.length_ms} <= {time}.now:"):
                    code.line(f"{code.member('late')}({flow.record})")
                with code.block("else:"):
                    self._add(code, flow, start, open_windows, forward)
            with code.block(f"if {time}.now >= {open_windows}.due:"):
                code.line(f"{close}()")

    def describe(self) -> str:
        """See Operator."""
        return f"aggregate {type(self.aggregate).__name__} in {self.store} by windows of {self.windows.size}"

    def _open_windows(self, task: "Task") -> "OpenWindows":
        return task.open_windows(self.store, self.length_ms, self.windows.idle_ms)

    @contextmanager
    def _each_window(self, code: Code, flow: Flow) -> Iterator[str]:
        """Write what finds the windows of a record; the variable of a window's start."""
        size, advance = self.windows.size_ms, self.windows.advance_ms
        if size == advance:
            yield code.assign("start", f"{flow.timestamp} - {flow.timestamp} % {size}")
            return
        last = f"{flow.timestamp} - {flow.timestamp} % {advance}"
        first = f"max(0, ({flow.timestamp} - {size}) // {advance} * {advance} + {advance})"
        start = code.names.new("start")
        with code.block(f"for {start} in range({first}, {last} + 1, {advance}):"):
            yield start

    def _add(self, code: Code, flow: Flow, start: str, open_windows: str, forward: Forward) -> None:
        encode = code.constant(START.encode, "encode_start")
        key = code.assign("window_key", f"{encode}({start}) + {flow.key_bytes}")
        before = code.assign("before", f"{code.store(self.store, 'get')}({key})")
        with code.block(f"if {before} is None:"):
            code.line(f"{open_windows}.opened({start})")
        after = added(code, flow, self.aggregate, before)
        code.line(f"{code.store(self.store, 'put')}({key}, {after})")
        if self.passes is Emit.UPDATE:
            value, old = results(code, self.aggregate, before, after)
            forward(code, self.windowed(code, replace(flow, value=value, old=old), start, flow.key))
