"""Steps on the changes of tables: each record has a key's new value and its old one, either of which may be None."""

from dataclasses import dataclass, replace

from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Stateless
from tailrace.streams.operators.function import Function, call, name_of


@dataclass(frozen=True, eq=False)
class FilterTable(Stateless):
    """Keeps the values for which `predicate` is true, or is not when `negated`; others are as good as none."""

    predicate: Function
    negated: bool = False

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value, old = (self._kept(code, flow, variable) for variable in (flow.value, flow.old or "None"))
        with code.block(f"if {value} is not None or {old} is not None:"):
            forward(code, replace(flow, value=value, value_bytes=None, old=old))

    def describe(self) -> str:
        """See Operator."""
        return f"filter {'not ' if self.negated else ''}{name_of(self.predicate)}"

    def _kept(self, code: Code, flow: Flow, value: str) -> str:
        kept = code.assign("value", value)
        keeps = call(code, replace(flow, value=kept), self.predicate, "predicate")
        with code.block(f"if {kept} is not None and {'' if self.negated else 'not '}{keeps}:"):
            code.line(f"{kept} = None")
        return kept


@dataclass(frozen=True, eq=False)
class MapTable(Stateless):
    """Replaces each value by what `mapper` gives."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value = code.assign("value", self._mapped(code, flow, flow.value))
        forward(
            code, replace(flow, value=value, value_bytes=None, old=f"({self._mapped(code, flow, flow.old or 'None')})")
        )

    def describe(self) -> str:
        """See Operator."""
        return f"map values {name_of(self.mapper)}"

    def _mapped(self, code: Code, flow: Flow, value: str) -> str:
        return f"None if {value} is None else {call(code, replace(flow, value=value), self.mapper, 'mapper')}"


@dataclass(frozen=True, eq=False)
class ToStream(Stateless):
    """Passes on the new values."""

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, replace(flow, old=None))

    def describe(self) -> str:
        """See Operator."""
        return "to stream"
