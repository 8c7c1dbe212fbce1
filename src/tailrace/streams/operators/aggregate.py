"""Aggregates of all values of a key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from tailrace.registry.serde import Serde
from tailrace.streams.aggregates import Aggregate, check_new
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Meeting, Node, StoredTable, TableOperator
from tailrace.streams.operators.function import needed_arguments
from tailrace.streams.state.kept import Kept, KeptByKey, itself
from tailrace.streams.state.store import StoreSpec


@dataclass(frozen=True, eq=False)
class AggregateStream:
    """Keeps an aggregate of the values of each key, and passes it on with every value. None counts as no value."""

    store: str
    aggregate: Aggregate[Any, Any]
    value: Serde[Any]
    owns_store: bool = True

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        return (StoreSpec(self.store, self.value, changelog=True),) if self.owns_store else ()

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.keyed(flow), code.block(f"if {flow.value} is not None:"):
            before = code.assign("before", f"{code.store(self.store, 'get')}({flow.key_bytes})")
            after = added(code, flow, self.aggregate, before)
            code.line(f"{code.store(self.store, 'put')}({flow.key_bytes}, {after})")
            value, old = results(code, self.aggregate, before, after)
            forward(code, replace(flow, value=value, value_bytes=None, old=old))

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        return found(code, self.aggregate, f"{code.store(self.store, 'get')}({key_bytes})")

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptByKey(self.store, key, result_of(self.aggregate))

    def describe(self) -> str:
        """See Operator."""
        return f"aggregate {type(self.aggregate).__name__} in {self.store}"


@dataclass(frozen=True, eq=False)
class AggregateTable(AggregateStream):
    """Keeps an aggregate of the values that a table has for the keys of each group: changes take the old value out."""

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator; the flow's value is a Change."""
        with code.keyed(flow):
            before = code.assign("before", f"{code.store(self.store, 'get')}({flow.key_bytes})")
            left, entered = code.names.new("left"), code.names.new("entered")
            code.line(f"{left}, {entered} = {flow.value}")
            after = code.assign("after", before)
            subtract = self.aggregate.subtract  # type: ignore[attr-defined]
            for member, combine in ((left, subtract), (entered, self.aggregate.add)):
                with code.block(f"if {member} is not None:"):
                    changed = combined(code, replace(flow, value=member), self.aggregate, combine, after)
                    code.line(f"{after} = {changed}")
            code.line(f"{code.store(self.store, 'put')}({flow.key_bytes}, {after})")
            value, old = results(code, self.aggregate, before, after)
            forward(code, replace(flow, value=value, value_bytes=None, old=old))


@dataclass(frozen=True, eq=False)
class Cogroup(Meeting):
    """Passes on the changes of an aggregate that several streams add to."""

    key: Serde[Any] | None
    store: str
    first: Node

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, flow)

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        return cast(TableOperator, self.first.operator).look_up(code, self.first, key, key_bytes)

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return cast(StoredTable, self.first.operator).kept(key)

    def describe(self) -> str:
        """See Operator."""
        return f"cogroup in {self.store}"


def added(code: Code, flow: Flow, aggregate: Aggregate[Any, Any], before: str) -> str:
    """Write how a value comes into an aggregate, which is None at first; the variable of the new one."""
    return combined(code, flow, aggregate, aggregate.add, before)


def combined(code: Code, flow: Flow, aggregate: Aggregate[Any, Any], combine: Callable[..., Any], before: str) -> str:
    """Write how a function makes a new aggregate of the old one and a value."""
    initial = f"{code.constant(aggregate.initial, 'initial')}()"
    base = code.assign("base", f"{initial} if {before} is None else {before}")
    arguments = f"{base}, {flow.value}"
    if needed_arguments(combine) == 3:
        arguments = f"{flow.key}, {arguments}"
    after = code.assign("after", f"{code.constant(combine, 'add')}({arguments})")
    with code.block(f"if {after} is {base}:"):
        code.line(f"{code.constant(check_new, 'check_new')}({base}, {after})")
    return after


def results(code: Code, aggregate: Aggregate[Any, Any], before: str, after: str) -> tuple[str, str]:
    """Write what is passed on of an aggregate; the new result and the expression for the old one."""
    result = getattr(aggregate, "result", None)
    if result is None:
        return after, before
    name = code.constant(result, "result")
    return code.assign("value", f"{name}({after})"), f"(None if {before} is None else {name}({before}))"


def found(code: Code, aggregate: Aggregate[Any, Any], kept: str) -> str:
    """Write what gives the result of an aggregate that is looked up."""
    variable = code.assign("other", kept)
    result = getattr(aggregate, "result", None)
    if result is None:
        return variable
    return code.assign("other", f"None if {variable} is None else {code.constant(result, 'result')}({variable})")


def result_of(aggregate: Aggregate[Any, Any]) -> Callable[[Any], Any]:
    """What gives the result of an aggregate."""
    result: Callable[[Any], Any] = getattr(aggregate, "result", itself)
    return result
