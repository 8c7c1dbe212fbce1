"""Joins of tables, as methods of a table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from tailrace.registry.serde import Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.node import Node
from tailrace.streams.operators.answer import AnswerChanges, AnswerSink, AnswerSubscriptions
from tailrace.streams.operators.foreign_key import ForeignJoin, JoinAnswers, JoinForeign, JoinForeignTable, Subscribe
from tailrace.streams.operators.function import Of, checked
from tailrace.streams.operators.join_tables import Join, JoinTables, JoinTableSide
from tailrace.streams.operators.pair import check_joiner
from tailrace.streams.operators.sink import Sink
from tailrace.streams.state.foreign_key import AnswerSerde, SubscriptionSerde
from tailrace.streams.types import PLAIN, Typed

if TYPE_CHECKING:
    from tailrace.streams.table import Table
    from tailrace.streams.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
R = TypeVar("R")


class TableJoins(Generic[K, V]):
    """`joiner(value, other)`, or `joiner(key, value, other)`, gives the value of a key in the result."""

    def __init__(
        self,
        topology: "Topology",
        node: Node,
        key: Serde[K] | None,
        value: Serde[V] | None,
        topic: str | None = None,
    ) -> None:
        self.topic = topic
        self.node = node
        self.topology = topology
        self.key = key
        self.value = value
        topology.tables.append(self)

    @overload
    def join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[V, V2], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[K, V, V2], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def join(
        self,
        other: "Table[K2, V2]",
        joiner: "Callable[[V, V2], R]",
        *,
        on: "Of[K, V, K2 | None]",
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def join(
        self,
        other: "Table[K2, V2]",
        joiner: "Callable[[K, V, V2], R]",
        *,
        on: "Of[K, V, K2 | None]",
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]": ...

    def join(
        self,
        other: "Table[Any, V2]",
        joiner: "Callable[[V, V2], R] | Callable[[K, V, V2], R]",
        *,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]":
        """Join with another table: a key has a value where it has one in both.

        With `on`, a function of the value, or of key and value, the other table's value is that of the key which it
        gives: a foreign key, None for no match. Each key of the other table may be that of many. The two tables need
        not have as many partitions. `store` names the state of such a join.
        """
        return self._joined(other, joiner, on, value, store, Join.INNER)

    @overload
    def left_join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[V, V2 | None], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def left_join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[K, V, V2 | None], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def left_join(
        self,
        other: "Table[K2, V2]",
        joiner: "Callable[[V, V2 | None], R]",
        *,
        on: "Of[K, V, K2 | None]",
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def left_join(
        self,
        other: "Table[K2, V2]",
        joiner: "Callable[[K, V, V2 | None], R]",
        *,
        on: "Of[K, V, K2 | None]",
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]": ...

    def left_join(
        self,
        other: "Table[Any, V2]",
        joiner: "Callable[[V, V2 | None], R] | Callable[[K, V, V2 | None], R]",
        *,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
        store: str | None = None,
    ) -> "Table[K, R]":
        """As `join`, but a key has a value where it has one here; None stands for a missing one of the other table."""
        return self._joined(other, joiner, on, value, store, Join.LEFT)

    @overload
    def outer_join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[V | None, V2 | None], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def outer_join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[K, V | None, V2 | None], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]": ...

    def outer_join(
        self,
        other: "Table[K, V2]",
        joiner: "Callable[[V | None, V2 | None], R] | Callable[[K, V | None, V2 | None], R]",
        *,
        value: Typed[R] | None = None,
    ) -> "Table[K, R]":
        """Join with another table: a key has a value where it has one in either; None stands for a missing one."""
        return self._joined(other, joiner, None, value, None, Join.OUTER)

    def _joined(
        self,
        other: "Table[Any, Any]",
        joiner: Callable[..., R],
        on: Callable[..., Any] | None,
        value: Typed[R] | None,
        store: str | None,
        kind: Join,
    ) -> "Table[K, R]":
        check_joiner(joiner)
        name = store or self.topology.number(kind.value.replace(" ", "-"))
        serde = None if value is None else self.topology.serde(value, name, "value")
        if on is not None:
            node = self._joined_on(other, name, on, joiner, kind)
        elif store is not None:
            raise TopologyError(f"{store}: a join has state of its own only with `on`")
        else:
            node = self._joined_by_key(other, joiner, name, kind)
        return self.topology.table_of(node, self.key, serde)

    def _joined_by_key(self, other: "Table[Any, Any]", joiner: Callable[..., R], name: str, kind: Join) -> Node:
        if other.node is self.node:
            raise TopologyError(f"{self.node.name}: a table cannot be joined with itself; use map_values")
        left, right, add = self.node, other.node, self.topology.add
        sides = [
            add("join", JoinTableSide(right, joiner, kind, is_left=True), left, name=f"{name}-left", reads=(right,)),
            add("join", JoinTableSide(left, joiner, kind, is_left=False), right, name=f"{name}-right", reads=(left,)),
        ]
        return add("join", JoinTables(left, right, joiner, kind, self.key), *sides, name=name)

    def _joined_on(
        self, other: "Table[Any, Any]", name: str, on: Callable[..., Any], joiner: Callable[..., R], kind: Join
    ) -> Node:
        topology, add = self.topology, self.topology.add
        join = ForeignJoin(
            name, self.node, other.node, *self._serdes(name), *other._serdes(name), checked(on), joiner, kind
        )
        topic = f"{topology.name}-{name}-subscription"
        subscribe = add("subscribe", Subscribe(join), self.node, name=f"{name}-subscribe")
        sink = Sink(topic, PLAIN[bytes], SubscriptionSerde())
        subscriptions = topology.by_way_of(topic, sink, subscribe, key=join.foreign_key, value=SubscriptionSerde())
        answering = [
            add("answer", AnswerSubscriptions(join), subscriptions.node, name=f"{name}-answer", reads=(other.node,)),
            add("answer", AnswerChanges(join), other.node, name=f"{name}-answer-changes"),
        ]
        topic = f"{topology.name}-{name}-response"
        sink = AnswerSink(topic, PLAIN[bytes], PLAIN[bytes])
        answers = topology.by_way_of(topic, sink, *answering, key=join.key, value=AnswerSerde(join.right))
        sides = [
            add("join", JoinForeignTable(join), self.node, name=f"{name}-left"),
            add("join", JoinAnswers(join), answers.node, name=f"{name}-right", reads=(self.node,)),
        ]
        return add("join", JoinForeign(join.key, join), *sides, name=name)

    def _serdes(self, name: str) -> tuple[Serde[Any], Serde[Any]]:
        """How keys and values are written. Raises TopologyError when that is not known."""
        if self.key is None or self.value is None:
            part = "key" if self.key is None else "value"
            raise TopologyError(
                f"{name}: how to write the {part}s of {self.node.name} is not known; say {part}=... there"
            )
        return self.key, self.value
