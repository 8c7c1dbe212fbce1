"""Processors of users: called with each record, and as time goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.operators.function import name_of
from tailrace.streams.processor import Processor, ProcessorContext
from tailrace.streams.state.store import StoreSpec
from tailrace.streams.state.store_builder import StoreBuilder

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class Process:
    """Passes on what a processor gives for each record; `make` makes one for each task."""

    make: Callable[[ProcessorContext], Processor[Any, Any]]
    builders: Sequence[StoreBuilder]

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        return tuple(spec for builder in self.builders for spec in builder.specs)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        time, context = code.member("time"), code.per_task(self._context, "context")
        by_records = self._punctuate(code, f"{context}.call_by_records()", f"{context}.timestamp", forward)
        by_clock = self._punctuate(code, f"{context}.call_by_clock()", f"{context}.timestamp", forward)
        code.names.clocked.append((context, by_clock))
        code.advance_time(flow)
        results = f"{context}.process({flow.key}, {flow.value}, {flow.record}, {flow.timestamp})"
        self._pass_on(code, results, flow, forward)
        with code.block(f"if {time}.now >= {context}.due:"):
            code.line(f"{by_records}()")

    def describe(self) -> str:
        """See Operator."""
        return f"process {name_of(self.make)}"

    def _context(self, task: "Task") -> ProcessorContext:
        return task.processor(self.make, self.builders)

    def _pass_on(self, code: Code, results: str, flow: Flow, forward: Forward) -> None:
        key, value = code.names.new("key"), code.names.new("value")
        with code.block(f"for {key}, {value} in {results}:"):
            forward(code, replace(flow, key=key, value=value, key_bytes=None, value_bytes=None))

    def _punctuate(self, code: Code, results: str, timestamp: str, forward: Forward) -> str:
        """Write the function that passes on what punctuations give."""

        def write(body: Code) -> None:
            self._pass_on(body, results, Flow("None", "None", timestamp, "None", None, None), forward)

        name, _ = code.function("punctuate", (), write)
        return name
