"""Grouped streams: what can be kept of all values of a key."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import MsgpackSerde, Serde
from tailrace.streams.aggregates import Aggregate, Count, Functions, Reduce
from tailrace.streams.errors import TopologyError
from tailrace.streams.node import Operator
from tailrace.streams.operators.aggregate import AggregateStream, AggregateTable
from tailrace.streams.operators.session import AggregateSessions
from tailrace.streams.operators.sliding import AggregateSliding
from tailrace.streams.operators.window import AggregateWindows
from tailrace.streams.table import Table
from tailrace.streams.types import PLAIN, Typed
from tailrace.streams.windows import Emit, Hopping, Sliding, Windowed, Windows

if TYPE_CHECKING:
    from tailrace.streams.cogrouped import CogroupedStream
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

    def __init__(self, stream: "Stream[Any, Any]") -> None:
        self.stream = stream
        self.topology = stream.topology

    def count(self, *, store: str | None = None) -> Table[KT, int]:
        """How many values there are."""
        return self._aggregate(store or self.topology.number("count"), Count(), PLAIN[int])

    def _kept(self, name: str, aggregate: Any, value: Typed[Any] | None) -> Table[KT, Any]:
        if not callable(getattr(aggregate, "initial", None)) or not callable(getattr(aggregate, "add", None)):
            raise TopologyError(f"{name}: {aggregate!r} has no methods initial and add; give a function add beside it")
        serde = msgpack_of(name, aggregate.initial()) if value is None else self.topology.serde(value, name, "value")
        return self._aggregate(name, aggregate, serde)

    def _aggregate(self, name: str, aggregate: Aggregate[Any, Any], value: Serde[Any]) -> Table[KT, Any]:
        source = self.stream.keyed(name)
        key = source.needed(name, "key")
        operator, key_of_table = self.operator(name, aggregate, key, value)
        node = self.topology.add("aggregate", operator, source.node, name=name)
        written = None if hasattr(aggregate, "result") else value
        return Table(self.topology, node, key_of_table, written)

    def operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any], *, owns_store: bool = True
    ) -> tuple[Operator, Serde[Any]]:
        """The step that keeps the aggregates, and how its keys are written.

        `owns_store`: False where another step with the same store has it already.
        """
        raise NotImplementedError


def msgpack_of(name: str, initial: Any) -> Serde[Any]:
    """How aggregates are written about which nothing is said. Raises TopologyError for what is not written so."""
    serde: Serde[Any] = MsgpackSerde(type(initial))
    try:
        serde.encode(initial)
    except SerdeError as error:
        kind = type(initial).__name__
        raise TopologyError(f"{name}: msgpack cannot write {kind} ({error.__cause__}); say value=, a serde") from error
    return serde


class StreamGrouping(Grouping[KT, V]):
    """Groups of the records of a stream."""

    def reduce(
        self, reducer: Callable[[V, V], V], *, store: str | None = None, value: Typed[V] | None = None
    ) -> Table[KT, V]:
        """Make one value of all: `reducer(so_far, value)`; the first is taken as it is."""
        name = store or self.topology.number("reduce")
        serde = self.stream.needed(name, "value") if value is None else self.topology.serde(value, name, "value")
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
        return self._kept(store or self.topology.number("aggregate"), aggregate, value)


class GroupedStream(StreamGrouping[K, V]):
    """A stream whose records are grouped by key: all of a key in one task."""

    def cogroup(self, add: Callable[[A, V], A] | Callable[[Any, A, V], A]) -> "CogroupedStream[K, A]":
        """Begin an aggregate that other streams add to as well; `add` is how the values of this one come into it."""
        from tailrace.streams.cogrouped import CogroupedStream

        return CogroupedStream([(self, add)])

    def windowed_by(self, windows: Windows, *, emit: Emit = Emit.UPDATE) -> "WindowedStream[K, V]":
        """Group by windows of time as well. `emit`: whether results come with every record or when a window closes."""
        return WindowedStream(self.stream, windows, emit)

    def operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any], *, owns_store: bool = True
    ) -> tuple[Operator, Serde[Any]]:
        """See Grouping."""
        return AggregateStream(name, aggregate, value, owns_store), key


class GroupedTable(Grouping[K, V]):
    """A table whose values are grouped by something else than its key: a value may leave a group again."""

    def __init__(self, changes: "Stream[K, Any]", value: Serde[V] | None) -> None:
        super().__init__(changes)
        self._value = value

    def reduce(
        self,
        reducer: Callable[[V, V], V],
        subtract: Callable[[V, V], V],
        *,
        store: str | None = None,
        value: Typed[V] | None = None,
    ) -> Table[K, V]:
        """Make one value of all: `reducer(so_far, value)` with one more, `subtract(so_far, value)` with one less."""
        name = store or self.topology.number("reduce")
        serde = self._value if value is None else self.topology.serde(value, name, "value")
        if serde is None:
            raise TopologyError(f"{name}: how to keep the values is not known; say value=...")
        return self._aggregate(name, Reduce(reducer, subtract), serde)

    def aggregate(
        self,
        initial: Any,
        add: Callable[..., Any] | None = None,
        subtract: Callable[..., Any] | None = None,
        *,
        store: str | None = None,
        value: Typed[Any] | None = None,
    ) -> Table[K, Any]:
        """Keep what an Aggregate makes of all values, or the functions given; see GroupedStream.aggregate.

        `subtract(aggregate, value)` gives it without a value that was in it.
        """
        aggregate = initial if add is None else Functions(initial, add, subtract)
        return self._kept(store or self.topology.number("aggregate"), aggregate, value)

    def operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any], *, owns_store: bool = True
    ) -> tuple[Operator, Serde[Any]]:
        """See Grouping."""
        if not callable(getattr(aggregate, "subtract", None)):
            raise TopologyError(f"{name}: values of a table change, which needs subtract(aggregate, value)")
        return AggregateTable(name, aggregate, value, owns_store), key


class WindowedStream(StreamGrouping[Windowed[K], V]):
    """A stream whose records are grouped by key and window."""

    def __init__(self, stream: "Stream[K, V]", windows: Windows, emit: Emit) -> None:
        super().__init__(stream)
        self._windows = windows
        self._emit = emit

    def operator(
        self, name: str, aggregate: Aggregate[Any, Any], key: Serde[Any], value: Serde[Any], *, owns_store: bool = True
    ) -> tuple[Operator, Serde[Any]]:
        """See Grouping."""
        if isinstance(self._windows, Hopping):
            operator = AggregateWindows(name, aggregate, key, value, self._windows, self._emit, owns_store)
            return operator, operator.key_of_windows
        if isinstance(self._windows, Sliding):
            sliding = AggregateSliding(name, aggregate, key, value, self._windows, self._emit, owns_store)
            return sliding, sliding.key_of_windows
        if not callable(getattr(aggregate, "merge", None)):
            raise TopologyError(f"{name}: sessions may grow together, which needs merge(one, other) of the aggregate")
        sessions = AggregateSessions(name, aggregate, key, value, self._windows, self._emit, owns_store)
        return sessions, sessions.key_of_windows
