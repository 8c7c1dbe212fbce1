"""Joins of tables by a foreign key, on the side of the table that has the foreign keys.

    orders.join(customers, joiner, on=lambda order: order.customer)

    orders ─┬─> subscribe ──> topic of subscriptions, by customer ──┐
            │                                                       ├─> answer ──> topic of answers, by order ──┐
            │   customers ──────────────────────────────────────────┘                                           │
            └─> join <──────────────────────────────────────────────────────────────────────────────────────────┘

A change of an order whose customer stays is joined at once with the last answer. Where the customer is another, the
result stays what it was until the answer comes; an answer about one that the order does not have any more is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Meeting, Node, Stateless
from tailrace.streams.operators.function import Function, name_of, needed_arguments, takes_key
from tailrace.streams.operators.join_tables import Join, joined
from tailrace.streams.operators.table import value_of
from tailrace.streams.state.foreign_key import RowSerde, Subscription, answered, changed
from tailrace.streams.state.kept import Kept, KeptRows
from tailrace.streams.state.store import StoreSpec


@dataclass(frozen=True, eq=False)
class ForeignJoin:
    """What all steps of a join know of it. `key` and `left` are serdes of the first table, the others of the other."""

    name: str
    table: Node
    other: Node
    key: Serde[Any]
    left: Serde[Any]
    foreign_key: Serde[Any]
    right: Serde[Any]
    on: Function
    joiner: Function
    kind: Join

    @property
    def subscriptions(self) -> str:
        """Name of the other table's store of subscriptions."""
        return f"{self.name}-subscriptions"

    def foreign_key_of(self, key: Any, value: Any) -> Any:
        """The foreign key of a value, or None."""
        return self.on(key, value) if takes_key(self.on) else self.on(value)

    def encoded_key_of(self, key: Any, value: Any) -> bytes | None:
        """The foreign key of a value as it is written, or None; that of no value is None."""
        foreign_key = None if value is None else self.foreign_key_of(key, value)
        return None if foreign_key is None else self.foreign_key.encode(foreign_key)

    def result(self, key: Any, left: Any, right: Any) -> Any:
        """What the joiner makes of two values; None where there is no result."""
        if left is None or (right is None and self.kind is Join.INNER):
            return None
        return self.joiner(key, left, right) if needed_arguments(self.joiner) == 3 else self.joiner(left, right)


@dataclass(frozen=True, eq=False)
class Subscribe(Stateless):
    """Passes on, under the foreign key, who has it no more and who has it now, where a change is about that."""

    join: ForeignJoin

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key, value = code.names.new("key"), code.names.new("value")
        before = f"{flow.key}, {flow.old}, {flow.value}, {flow.key_bytes}, {code.member('partition')}"
        with code.block(f"for {key}, {value} in {code.constant(self._subscriptions, 'subscriptions')}({before}):"):
            forward(code, replace(flow, key=key, value=value, key_bytes=None, value_bytes=None, old=None))

    def describe(self) -> str:
        """See Operator."""
        return f"subscribe to {self.join.other.name} on {name_of(self.join.on)}"

    def _subscriptions(
        self, key: Any, old: Any, new: Any, key_bytes: bytes, partition: int
    ) -> Iterator[tuple[bytes, Subscription]]:
        left, entered = (self.join.encoded_key_of(key, value) for value in (old, new))
        if left == entered:
            return
        if left is not None:
            yield left, Subscription(key_bytes, partition, False)
        if entered is not None:
            yield entered, Subscription(key_bytes, partition, True)


class _Rows:
    """What the steps that change rows have in common."""

    join: ForeignJoin

    def emit_row(self, code: Code, flow: Flow, row: str, after: str, forward: Forward) -> None:
        """Write that a row is replaced, and what that changes of the result."""
        with code.block(f"if {after} is not {row}:"):
            code.line(f"{code.store(self.join.name, 'put')}({flow.key_bytes}, {after})")
            with code.block(f"if {after} is None or {after}.is_answered:"):
                old, value = (result_of(code, self.join, flow.key, each) for each in (row, after))
                with code.block(f"if {value} is not None or {old} is not None:"):
                    forward(code, replace(flow, value=value, value_bytes=None, old=old))


@dataclass(frozen=True, eq=False)
class JoinForeignTable(_Rows):
    """Changes of the table that has the foreign keys."""

    join: ForeignJoin

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        return (StoreSpec(self.join.name, RowSerde(self.join.left, self.join.right), changelog=True),)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        row = code.assign("row", f"{code.store(self.join.name, 'get')}({flow.key_bytes})")
        foreign_key = f"{code.constant(self.join.encoded_key_of, 'foreign_key')}({flow.key}, {flow.value})"
        after = code.assign("after", f"{code.constant(changed, 'changed')}({row}, {foreign_key}, {flow.value})")
        self.emit_row(code, flow, row, after, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"{self.join.kind.value} {self.join.other.name} on {name_of(self.join.on)}"


@dataclass(frozen=True, eq=False)
class JoinAnswers(_Rows, Stateless):
    """Answers of the other table."""

    join: ForeignJoin

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.keyed(flow):
            row = code.assign("row", f"{code.store(self.join.name, 'get')}({flow.key_bytes})")
            left = value_of(code, self.join.table, flow.key, str(flow.key_bytes))
            after = code.assign("after", f"{code.constant(answered, 'answered')}({row}, {flow.value}, {left})")
            self.emit_row(code, flow, row, after, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"{self.join.kind.value} {self.join.table.name} with answers"


@dataclass(frozen=True, eq=False)
class JoinForeign(Meeting):
    """Passes on the changes that either side makes; its value of a key is what was passed on last."""

    key: Serde[Any] | None
    join: ForeignJoin

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        forward(code, flow)

    def look_up(self, code: Code, node: Node, key: str, key_bytes: str) -> str:
        """See TableOperator."""
        row = code.assign("row", f"{code.store(self.join.name, 'get')}({key_bytes})")
        return result_of(code, self.join, key, row)

    def kept(self, key: Serde[Any]) -> Kept:
        """See StoredTable."""
        return KeptRows(self.join.name, key, self.join.result)

    def describe(self) -> str:
        """See Operator."""
        return f"{self.join.kind.value} of {self.join.table.name} and {self.join.other.name}"


def result_of(code: Code, join: ForeignJoin, key: str, row: str) -> str:
    """Write what finds the result that was passed on of a row; its variable."""
    left, right = (code.assign(side, f"None if {row} is None else {row}.{side}") for side in ("left", "right"))
    return code.assign("value", joined(code, key, left, right, join.joiner, join.kind))
