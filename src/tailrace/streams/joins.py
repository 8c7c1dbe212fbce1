"""Joins, as methods of a stream."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tailrace.streams.errors import TopologyError
from tailrace.streams.flowing import Flowing
from tailrace.streams.node import Node
from tailrace.streams.operators.function import Of, checked
from tailrace.streams.operators.join import JoinGlobalTable, JoinTable
from tailrace.streams.operators.join_streams import JoinStreamSide, StreamJoin
from tailrace.streams.operators.join_tables import Join
from tailrace.streams.operators.pair import check_joiner
from tailrace.streams.operators.stateless import Merge
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.types import Typed
from tailrace.streams.windows import Duration, JoinWindow

if TYPE_CHECKING:
    from tailrace.streams.stream import Stream

K = TypeVar("K")
V = TypeVar("V")
V2 = TypeVar("V2")
R = TypeVar("R")


class Joins(Flowing[K, V]):
    """`joiner(value, other)`, or `joiner(key, value, other)`, gives the result of a join."""

    @overload
    def join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    @overload
    def join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[K, V, V2], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    def join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2], R] | Callable[[K, V, V2], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """Join each record with the value that a table has at its time, or with the records of another stream that are
        `within` a time of it. What finds nothing is dropped.

        `joiner(value, other)`, or `joiner(key, value, other)`, gives the result. A global table is asked for the key
        that `on` gives, the record's own unless told.
        """
        return self._joined(other, joiner, within, on, value, Join.INNER)

    @overload
    def left_join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2 | None], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    @overload
    def left_join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[K, V, V2 | None], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    def left_join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2 | None], R] | Callable[[K, V, V2 | None], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """As `join`, but what finds nothing is joined with None: when its window closes, if the other is a stream."""
        return self._joined(other, joiner, within, on, value, Join.LEFT)

    @overload
    def outer_join(
        self,
        other: "Stream[K, V2]",
        joiner: "Callable[[V | None, V2 | None], R]",
        *,
        within: "Duration | JoinWindow",
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    @overload
    def outer_join(
        self,
        other: "Stream[K, V2]",
        joiner: "Callable[[K, V | None, V2 | None], R]",
        *,
        within: "Duration | JoinWindow",
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]": ...

    def outer_join(
        self,
        other: "Stream[K, V2]",
        joiner: "Callable[[V | None, V2 | None], R] | Callable[[K, V | None, V2 | None], R]",
        *,
        within: "Duration | JoinWindow",
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """As `left_join` of two streams, for records of either that find nothing."""
        return self._joined(other, joiner, within, None, value, Join.OUTER)

    def _joined(
        self,
        other: "Stream[K, Any] | Table[K, Any] | GlobalTable[Any, Any]",
        joiner: Callable[..., R],
        within: "Duration | JoinWindow | None",
        on: Callable[..., Any] | None,
        value: Typed[R] | None,
        kind: Join,
    ) -> "Stream[K, R]":
        check_joiner(joiner)
        name = self.topology.number(kind.value.replace(" ", "-"))
        if (within is None) == isinstance(other, Flowing):
            raise TopologyError(f"{name}: `within` is for joins of two streams, and they need it")
        if on is not None and not isinstance(other, GlobalTable):
            raise TopologyError(f"{name}: `on` is for global tables; select_key gives the records another key")
        serde = None if value is None else self.topology.serde(value, name, "value")
        keeps = kind is not Join.INNER
        if isinstance(other, GlobalTable):
            select = _own_key if on is None else checked(on)
            node = self.topology.add("join", JoinGlobalTable(other.topic, select, joiner, keeps), self.node, name=name)
            return self.topology.stream_of(node, self.key, serde, is_rekeyed=self.is_rekeyed)
        source = self.keyed(name)
        if isinstance(other, Flowing):
            window = within if isinstance(within, JoinWindow) else JoinWindow(within or 0, within or 0)
            join = StreamJoin(name, window, kind, joiner, source.needed(name, "key"))
            node = _joined_within(source, other.keyed(f"{name}-right"), join)
        else:
            operator = JoinTable(other.node, joiner, keeps)
            node = self.topology.add("join", operator, source.node, name=name, reads=(other.node,))
        return self.topology.stream_of(node, source.key, serde)


def _joined_within(left: Flowing[Any, Any], right: Flowing[Any, Any], join: StreamJoin) -> Node:
    add = left.topology.add
    one = JoinStreamSide(join, left.needed(join.name, "value"), is_left=True)
    other = JoinStreamSide(join, right.needed(join.name, "value"), is_left=False)
    sides = [
        add("join", one, left.node, name=f"{join.name}-left"),
        add("join", other, right.node, name=f"{join.name}-right"),
    ]
    return add("merge", Merge(join.key), *sides, name=join.name)


def _own_key(key: Any, value: Any) -> Any:
    return key
