"""Joins of two tables: the result is a table again, and changes when either of them does."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Meeting, Node, Stateless
from tailrace.streams.operators.function import Function
from tailrace.streams.operators.pair import join_call
from tailrace.streams.operators.table import value_of


class Join(Enum):
    """Which of two sides have to be there for a result; the other is None where it is not."""

    INNER = "join"
    LEFT = "left join"
    OUTER = "outer join"


@dataclass(frozen=True, eq=False)
class JoinTableSide(Stateless):
    """Changes of one side of a join; `other` is the table on the other one, `is_left` says which this is."""

    other: Node
    joiner: Function
    kind: Join
    is_left: bool

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        other = value_of(code, self.other, flow.key, str(flow.key_bytes))
        value, old = (
            code.assign("value", joined(code, flow.key, *self._sides(mine, other), self.joiner, self.kind))
            for mine in (flow.value, code.assign("old", flow.old or "None"))
        )
        with code.block(f"if {value} is not None or {old} is not None:"):
            forward(code, replace(flow, value=value, value_bytes=None, old=old))

    def describe(self) -> str:
        """See Operator."""
        return f"{self.kind.value} {self.other.name}"

    def _sides(self, mine: str, other: str) -> tuple[str, str]:
        return (mine, other) if self.is_left else (other, mine)


@dataclass(frozen=True, eq=False)
class JoinTables(Meeting):
    """Passes on the changes of both sides; its value of a key is that of a join of theirs."""

    left: Node
    right: Node
    joiner: Function
    kind: Join
    key: Serde[Any] | None

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, flow)

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        left, right = (value_of(code, side, key, key_bytes) for side in (self.left, self.right))
        return code.assign("other", joined(code, key, left, right, self.joiner, self.kind))

    def describe(self) -> str:
        """See Operator."""
        return f"{self.kind.value} of {self.left.name} and {self.right.name}"


def joined(code: Code, key: str, left: str, right: str, joiner: Function, kind: Join) -> str:
    """The expression for the result of two values, None where there is none."""
    condition = {
        Join.INNER: f"{left} is None or {right} is None",
        Join.LEFT: f"{left} is None",
        Join.OUTER: f"{left} is None and {right} is None",
    }[kind]
    return f"None if {condition} else {join_call(code, key, left, right, joiner)}"
