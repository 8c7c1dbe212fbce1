"""Steps that look at one record only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Meeting, Stateless
from tailrace.streams.operators.function import Function, call, name_of


@dataclass(frozen=True, eq=False)
class Filter(Stateless):
    """Passes on the values for which `predicate` is true, or is not when `negated`."""

    predicate: Function
    negated: bool = False

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.block(f"if {'not ' if self.negated else ''}{call(code, flow, self.predicate, 'predicate')}:"):
            forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"{'filter not' if self.negated else 'filter'} {name_of(self.predicate)}"


@dataclass(frozen=True, eq=False)
class Map(Stateless):
    """Passes on another key and value: what `mapper` gives."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key, value = code.names.new("key"), code.names.new("value")
        code.line(f"{key}, {value} = {call(code, flow, self.mapper, 'mapper')}")
        forward(code, replace(flow, key=key, value=value, key_bytes=None, value_bytes=None))

    def describe(self) -> str:
        """See Operator."""
        return f"map {name_of(self.mapper)}"


@dataclass(frozen=True, eq=False)
class MapValues(Stateless):
    """Passes on what `mapper` gives; the key stays."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value = code.assign("value", call(code, flow, self.mapper, "mapper"))
        forward(code, replace(flow, value=value, value_bytes=None))

    def describe(self) -> str:
        """See Operator."""
        return f"map values {name_of(self.mapper)}"


@dataclass(frozen=True, eq=False)
class FlatMap(Stateless):
    """Passes on each key and value that `mapper` gives."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key, value = code.names.new("key"), code.names.new("value")
        with code.block(f"for {key}, {value} in {call(code, flow, self.mapper, 'mapper')}:"):
            forward(code, replace(flow, key=key, value=value, key_bytes=None, value_bytes=None))

    def describe(self) -> str:
        """See Operator."""
        return f"flat map {name_of(self.mapper)}"


@dataclass(frozen=True, eq=False)
class FlatMapValues(Stateless):
    """Passes on each value that what `mapper` gives; the key stays."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value = code.names.new("value")
        with code.block(f"for {value} in {call(code, flow, self.mapper, 'mapper')}:"):
            forward(code, replace(flow, value=value, value_bytes=None))

    def describe(self) -> str:
        """See Operator."""
        return f"flat map values {name_of(self.mapper)}"


@dataclass(frozen=True, eq=False)
class SelectKey(Stateless):
    """Passes on the value under the key that `selector` gives."""

    selector: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key = code.assign("key", call(code, flow, self.selector, "selector"))
        forward(code, replace(flow, key=key, key_bytes=None))

    def describe(self) -> str:
        """See Operator."""
        return f"select key {name_of(self.selector)}"


@dataclass(frozen=True, eq=False)
class Peek(Stateless):
    """Calls `action` and passes on what came; also the end of a flow, as `foreach`."""

    action: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        code.line(call(code, flow, self.action, "action"))
        forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"peek {name_of(self.action)}"


@dataclass(frozen=True, eq=False)
class Merge(Meeting):
    """Passes on what comes from several streams."""

    key: Serde[Any] | None

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return "merge"


@dataclass(frozen=True, eq=False)
class Split(Stateless):
    """Marks each value with the first branch whose predicate holds; the branches behind it look at the mark only.

    The mark is a number: that of the predicate, or one more than the last for what no predicate wants.
    """

    predicates: Mapping[str, Function]

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        mark = mark_of(self, code)
        for number, predicate in enumerate(self.predicates.values()):
            with code.block(f"{'elif' if number else 'if'} {call(code, flow, predicate, 'predicate')}:"):
                code.line(f"{mark} = {number}")
        with code.block("else:"):
            code.line(f"{mark} = {len(self.predicates)}")
        forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"split {', '.join(self.predicates)}"


@dataclass(frozen=True, eq=False)
class Branch(Stateless):
    """Passes on the values that a split has marked with `number`."""

    split: Split
    name: str
    number: int

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.block(f"if {mark_of(self.split, code)} == {self.number}:"):
            forward(code, flow)

    def describe(self) -> str:
        """See Operator."""
        return f"branch {self.name}"


def mark_of(split: Split, code: Code) -> str:
    """The variable of a split's mark."""
    return code.names.of((id(split), "branch"), "branch")
