"""Steps that look at one record only, as methods of a stream."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tailrace.registry.serde import Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.flowing import Flowing
from tailrace.streams.operators.function import Of, checked
from tailrace.streams.operators.stateless import (
    Branch,
    Filter,
    FlatMap,
    FlatMapValues,
    Map,
    MapValues,
    Merge,
    Peek,
    SelectKey,
    Split,
)
from tailrace.streams.types import STRING, Typed

if TYPE_CHECKING:
    from tailrace.streams.stream import Stream

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class StatelessSteps(Flowing[K, V]):
    """A function given to a step gets the value if it takes one argument, key and value if it takes two."""

    @overload
    def filter(self, predicate: "Callable[[V], object]") -> "Stream[K, V]": ...

    @overload
    def filter(self, predicate: "Callable[[K, V], object]") -> "Stream[K, V]": ...

    def filter(self, predicate: "Of[K, V, object]") -> "Stream[K, V]":
        """Keep the records for which `predicate` is true."""
        return self.same("filter", Filter(checked(predicate)))

    @overload
    def filter_not(self, predicate: "Callable[[V], object]") -> "Stream[K, V]": ...

    @overload
    def filter_not(self, predicate: "Callable[[K, V], object]") -> "Stream[K, V]": ...

    def filter_not(self, predicate: "Of[K, V, object]") -> "Stream[K, V]":
        """Keep the records for which `predicate` is not true."""
        return self.same("filter-not", Filter(checked(predicate), negated=True))

    @overload
    def map(
        self,
        mapper: "Callable[[V], tuple[K2, V2]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]": ...

    @overload
    def map(
        self,
        mapper: "Callable[[K, V], tuple[K2, V2]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]": ...

    def map(
        self,
        mapper: "Of[K, V, tuple[K2, V2]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Replace key and value by the pair that `mapper` gives."""
        return self.rekeyed("map", Map(checked(mapper)), key, value)

    @overload
    def map_values(self, mapper: "Callable[[V], V2]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]": ...

    @overload
    def map_values(self, mapper: "Callable[[K, V], V2]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]": ...

    def map_values(self, mapper: "Of[K, V, V2]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]":
        """Replace the value by what `mapper` gives; the key stays."""
        return self.revalued("map-values", MapValues(checked(mapper)), value)

    @overload
    def flat_map(
        self,
        mapper: "Callable[[V], Iterable[tuple[K2, V2]]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]": ...

    @overload
    def flat_map(
        self,
        mapper: "Callable[[K, V], Iterable[tuple[K2, V2]]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]": ...

    def flat_map(
        self,
        mapper: "Of[K, V, Iterable[tuple[K2, V2]]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Replace each record by any number of pairs of key and value."""
        return self.rekeyed("flat-map", FlatMap(checked(mapper)), key, value)

    @overload
    def flat_map_values(
        self, mapper: "Callable[[V], Iterable[V2]]", *, value: Typed[V2] | None = None
    ) -> "Stream[K, V2]": ...

    @overload
    def flat_map_values(
        self, mapper: "Callable[[K, V], Iterable[V2]]", *, value: Typed[V2] | None = None
    ) -> "Stream[K, V2]": ...

    def flat_map_values(self, mapper: "Of[K, V, Iterable[V2]]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]":
        """Replace each record by any number of values; the key stays."""
        return self.revalued("flat-map-values", FlatMapValues(checked(mapper)), value)

    @overload
    def select_key(self, selector: "Callable[[V], K2]", *, key: Typed[K2] | None = None) -> "Stream[K2, V]": ...

    @overload
    def select_key(self, selector: "Callable[[K, V], K2]", *, key: Typed[K2] | None = None) -> "Stream[K2, V]": ...

    def select_key(self, selector: "Of[K, V, K2]", *, key: Typed[K2] | None = None) -> "Stream[K2, V]":
        """Replace the key by what `selector` gives."""
        node = self.topology.add("select-key", SelectKey(checked(selector)), self.node)
        serde = STRING if key is None else self.topology.serde(key, node.name, "key")
        return self.topology.stream_of(node, serde, self.value, nullable=self.nullable, is_rekeyed=True)

    @overload
    def peek(self, action: "Callable[[V], object]") -> "Stream[K, V]": ...

    @overload
    def peek(self, action: "Callable[[K, V], object]") -> "Stream[K, V]": ...

    def peek(self, action: "Of[K, V, object]") -> "Stream[K, V]":
        """Call `action` on each record, and pass the record on. It is called again when records are processed again."""
        return self.same("peek", Peek(checked(action)))

    @overload
    def foreach(self, action: "Callable[[V], object]") -> None: ...

    @overload
    def foreach(self, action: "Callable[[K, V], object]") -> None: ...

    def foreach(self, action: "Of[K, V, object]") -> None:
        """Call `action` on each record. It is called again when records are processed again, after a crash or so."""
        self.peek(action)

    def split(self, *, default: str = "default", **predicates: "Of[K, V, object]") -> "dict[str, Stream[K, V]]":
        """Share the records out: each goes to the branch of the first predicate that is true, or to `default`."""
        if default in predicates:
            raise TopologyError(f"split has two branches called {default}; give the default one another name")
        split = Split({name: checked(predicate) for name, predicate in predicates.items()})
        marked = self.same("split", split)
        return {
            name: marked.same("branch", Branch(split, name, number))
            for number, name in enumerate([*predicates, default])
        }

    def merge(self, *others: "Stream[K, V2]") -> "Stream[K, V | V2]":
        """Join flows into one; records of the same partition number meet in one task."""
        streams: list[Flowing[K, Any]] = [self, *others]
        keys = {id(stream.key) for stream in streams}
        values = {id(stream.value) for stream in streams}
        is_rekeyed = any(stream.is_rekeyed for stream in streams)
        key = self.key if len(keys) == 1 else None
        merge = Merge(None if is_rekeyed else key)
        node = self.topology.add("merge", merge, *(stream.node for stream in streams))
        value: Serde[Any] | None = self.value if len(values) == 1 else None
        nullable = any(stream.nullable for stream in streams)
        return self.topology.stream_of(node, key, value, nullable=nullable, is_rekeyed=is_rekeyed)
