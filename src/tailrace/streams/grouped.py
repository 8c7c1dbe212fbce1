"""Grouped streams: what can be kept of all values of a key."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from tailrace.registry.serde import MsgpackSerde, Serde
from tailrace.streams.aggregates import Aggregate, Count, Functions, Reduce
from tailrace.streams.errors import TopologyError
from tailrace.streams.node import Operator
from tailrace.streams.operators.aggregate import AggregateStream
from tailrace.streams.operators.session import AggregateSessions
from tailrace.streams.operators.window import AggregateWindows
from tailrace.streams.table import Table
from tailrace.streams.types import PLAIN, Typed
from tailrace.streams.windows import Emit, Hopping, Sessions, Windowed

if TYPE_CHECKING:
    from tailrace.streams.stream import Stream

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")
KT = TypeVar("KT")


class Grouping(Generic[KT, V]):
    """What groups of values have in common: the aggregates that can be kept of them.

    `store` names the state; it is part of the name of its changelog, so a store that is named keeps its state when
    other steps come or go.
    """

    def __init__(self, stream: "Stream[Any, V]") -> None:
        self._stream = stream
        self._topology = stream.topology

    def count(self, *, store: str | None = None) -> Table[KT, int]:
        """How many values there are."""
        return self._aggregate(store or self._topology.number("count"), Count(), PLAIN[int])

    def reduce(
        self, reducer: Callable[[V, V], V], *, store: str | None = None, value: Typed[V] | None = None
    ) -> Table[KT, V]:
        """Make one value of all: `reducer(so_far, value)`; the first is taken as it is."""
        name = store or self._topology.number("reduce")
        serde = self._stream.needed(name, "value") if value is None else self._topology.serde(value, name, "value")
        return self._aggregate(name, Reduce(reducer), serde)

    @overload
    def aggregate(
        self, initial: Aggregate[V, A], *, store: str | None = None, value: Typed[Any] | None = None
    ) -> Table[KT, Any]: ...

    @overload
    def aggregate(
        self,
        initial: A,
        add: Callable[[A, V], A] | Callable[[Any, A, V], A],
        *,
        merge: Callable[[A, A], A] | None = None,
        store: str | None = None,
        value: Typed[A] | None = None,
    ) -> Table[KT, A]: ...

    def aggregate(
        self,
        initial: Any,
        add: Callable[..., Any] | None = None,
        *,
        merge: Callable[[Any, Any], Any] | None = None,
        store: str | None = None,
        value: Typed[Any] | None = None,
    ) -> Table[KT, Any]:
        """Keep what an Aggregate makes of all values, or the functions given.

        `initial` is the aggregate of no value, and `add(aggregate, value)`, or `add(key, aggregate, value)`, gives it
        with one more: a new one, never the same changed. `value`: how aggregates are written; as msgpack unless given.
        """
        aggregate = initial if add is None else Functions(initial, add, None, merge)
        name = store or self._topology.number("aggregate")
        if not callable(getattr(aggregate, "initial", None)) or not callable(getattr(aggregate, "add", None)):
            raise TopologyError(f"{name}: {aggregate!r} has no methods initial and add; give a function add beside it")
        kind = type(aggregate.initial())
        serde = MsgpackSerde(kind) if value is None else self._topology.serde(value, name, "value")
        return self._aggregate(name, aggregate, serde)

    def _aggregate(self, name: str, aggregate: Aggregate[Any, Any], value: Serde[Any]) -> Table[KT, Any]:
        source = self._stream.keyed(name)
        key = source.needed(name, "key")
        operator, key_of_table = self._operator(name, aggregate, key, value)
        node = self._topology.add("aggregate", operator, source.node, name=name)
        written = None if hasattr(aggregate, "result") else value
        return Table(self._topology, node, key_of_table, written)

    def _operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any]
    ) -> tuple[Operator, Serde[Any]]:
        """The step that keeps the aggregates, and how its keys are written."""
        raise NotImplementedError


class GroupedStream(Grouping[K, V]):
    """A stream whose records are grouped by key: all of a key in one task."""

    def windowed_by(self, windows: Hopping | Sessions, *, emit: Emit = Emit.UPDATE) -> "WindowedStream[K, V]":
        """Group by windows of time as well. `emit`: whether results come with every record or when a window closes."""
        return WindowedStream(self._stream, windows, emit)

    def _operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any]
    ) -> tuple[Operator, Serde[Any]]:
        return AggregateStream(name, aggregate, value), key


class WindowedStream(Grouping[Windowed[K], V]):
    """A stream whose records are grouped by key and window."""

    def __init__(self, stream: "Stream[K, V]", windows: Hopping | Sessions, emit: Emit) -> None:
        super().__init__(stream)
        self._windows = windows
        self._emit = emit

    def _operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any]
    ) -> tuple[Operator, Serde[Any]]:
        if isinstance(self._windows, Hopping):
            operator = AggregateWindows(name, aggregate, key, value, self._windows, self._emit)
            return operator, operator.key_of_windows
        if not callable(getattr(aggregate, "merge", None)):
            raise TopologyError(f"{name}: sessions may grow together, which needs merge(one, other) of the aggregate")
        sessions = AggregateSessions(name, aggregate, key, value, self._windows, self._emit)
        return sessions, sessions.key_of_windows
