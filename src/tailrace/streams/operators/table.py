"""Steps on the changes of tables: each record has a key's new value and its old one, either of which may be None."""

from dataclasses import dataclass, replace
from typing import Any, cast

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Node, Stateless, TableOperator
from tailrace.streams.operators.function import Function, call_on, name_of
from tailrace.streams.state.kept import Kept, KeptByKey
from tailrace.streams.state.store import StoreSpec


def value_of(code: Code, table: Node, key: str, key_bytes: str) -> str:
    """Write what finds the current value of a key in a table, and give its variable."""
    return cast(TableOperator, table.operator).look_up(code, table, key, key_bytes)


@dataclass(frozen=True, eq=False)
class FilterTable(Stateless):
    """Keeps the values for which `predicate` is true, or is not when `negated`; others are as good as none."""

    predicate: Function
    negated: bool = False

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value, old = (self._kept(code, variable, flow.key) for variable in (flow.value, flow.old or "None"))
        with code.block(f"if {value} is not None or {old} is not None:"):
            forward(code, replace(flow, value=value, value_bytes=None, old=old))

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        return self._kept(code, value_of(code, node.parents[0], key, key_bytes), key)

    def describe(self) -> str:
        """See Operator."""
        return f"filter {'not ' if self.negated else ''}{name_of(self.predicate)}"

    def _kept(self, code: Code, value: str, key: str) -> str:
        kept = code.assign("value", value)
        keeps = call_on(code, key, kept, self.predicate, "predicate")
        with code.block(f"if {kept} is not None and {'' if self.negated else 'not '}{keeps}:"):
            code.line(f"{kept} = None")
        return kept


@dataclass(frozen=True, eq=False)
class MapTable(Stateless):
    """Replaces each value by what `mapper` gives."""

    mapper: Function

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        value = code.assign("value", self._mapped(code, flow.value, flow.key))
        forward(
            code,
            replace(flow, value=value, value_bytes=None, old=f"({self._mapped(code, flow.old or 'None', flow.key)})"),
        )

    def describe(self) -> str:
        """See Operator."""
        return f"map values {name_of(self.mapper)}"

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        return code.assign("other", self._mapped(code, value_of(code, node.parents[0], key, key_bytes), key))

    def _mapped(self, code: Code, value: str, key: str) -> str:
        return f"None if {value} is None else {call_on(code, key, value, self.mapper, 'mapper')}"


@dataclass(frozen=True, eq=False)
class ToStream(Stateless):
    """Passes on the new values."""

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, replace(flow, old=None))

    def describe(self) -> str:
        """See Operator."""
        return "to stream"


@dataclass(frozen=True, eq=False)
class ToTable:
    """Keeps the latest value of each key of a stream; None deletes it."""

    store: str
    value: Serde[Any]

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        return (StoreSpec(self.store, self.value, changelog=True),)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.keyed(flow):
            old = code.assign("old", f"{code.store(self.store, 'get')}({flow.key_bytes})")
            code.line(f"{code.store(self.store, 'put')}({flow.key_bytes}, {flow.value})")
            forward(code, replace(flow, old=old))

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        return code.assign("other", f"{code.store(self.store, 'get')}({key_bytes})")

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptByKey(self.store, key)

    def describe(self) -> str:
        """See Operator."""
        return f"to table {self.store}"
