"""Joins of streams with tables: each record of the stream meets the present value of a key of the table."""

from dataclasses import dataclass, replace

from tailrace.streams.code.code import Code
from tailrace.streams.code.fields import fields_of
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Node, Stateless
from tailrace.streams.operators.function import Function, call, name_of
from tailrace.streams.operators.pair import join_call, takes_key_and_two
from tailrace.streams.operators.table import value_of


@dataclass(frozen=True, eq=False)
class JoinTable(Stateless):
    """Joins each record with the table's value of its key; `keeps` those that find none, with None in its place."""

    table: Node
    joiner: Function
    keeps: bool

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        other = code.assign("other", "None")
        with code.block(f"if {flow.key_bytes} is not None:"):
            code.line(f"{other} = {value_of(code, self.table, flow.key, str(flow.key_bytes))}")
        _join(code, flow, other, self.joiner, self.keeps, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"{'left join' if self.keeps else 'join'} {self.table.name}"


@dataclass(frozen=True, eq=False)
class JoinGlobalTable(Stateless):
    """Joins each record with the global table's value of the key that `on` gives."""

    topic: str
    on: Function
    joiner: Function
    keeps: bool

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key = code.assign("other_key", call(code, flow, self.on, "on"))
        entry = code.assign("entry", f"None if {key} is None else {code.reader(self.topic)}.get({key})")
        other = code.assign("other", f"None if {entry} is None else {entry}.value")
        _join(code, flow, other, self.joiner, self.keeps, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"{'left join' if self.keeps else 'join'} global {self.topic} on {name_of(self.on)}"


def _join(code: Code, flow: Flow, other: str, joiner: Function, keeps: bool, forward: Forward) -> None:
    seen = flow.seen_by(fields_of(joiner, 1 if takes_key_and_two(joiner) else 0))
    joined = join_call(code, flow.key, seen, other, joiner)
    if keeps:
        forward(code, replace(flow, value=code.assign("value", joined), value_bytes=None))
        return
    with code.block(f"if {other} is not None:"):
        forward(code, replace(flow, value=code.assign("value", joined), value_bytes=None))
