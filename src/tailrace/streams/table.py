"""Tables: the latest value of each key."""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from tailrace.registry.serde import Serde
from tailrace.streams.node import Operator
from tailrace.streams.operators.function import Of, checked, takes_key
from tailrace.streams.operators.regroup import Regroup
from tailrace.streams.operators.table import FilterTable, MapTable, ToStream
from tailrace.streams.state.kept import Kept, KeptByKey
from tailrace.streams.table_joins import TableJoins
from tailrace.streams.types import STRING, Typed

if TYPE_CHECKING:
    from tailrace.streams.grouped import GroupedTable
    from tailrace.streams.stream import Stream

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class Table(TableJoins[K, V]):
    """The latest value of each key, of the task's own partition; every method makes a new table.

    A function given to a step gets the value if it takes one argument, key and value if it takes two, and is not called
    for keys without a value. `topic` is the one that the table is read from, or None.
    """

    @overload
    def filter(self, predicate: "Callable[[V], object]") -> "Table[K, V]": ...

    @overload
    def filter(self, predicate: "Callable[[K, V], object]") -> "Table[K, V]": ...

    def filter(self, predicate: "Of[K, V, object]") -> "Table[K, V]":
        """Keep the keys for whose value `predicate` is true; the others have no value."""
        return self._step("filter", FilterTable(checked(predicate)), self.value)

    @overload
    def filter_not(self, predicate: "Callable[[V], object]") -> "Table[K, V]": ...

    @overload
    def filter_not(self, predicate: "Callable[[K, V], object]") -> "Table[K, V]": ...

    def filter_not(self, predicate: "Of[K, V, object]") -> "Table[K, V]":
        """Keep the keys for whose value `predicate` is not true."""
        return self._step("filter-not", FilterTable(checked(predicate), negated=True), self.value)

    @overload
    def map_values(self, mapper: "Callable[[V], V2]", *, value: Typed[V2] | None = None) -> "Table[K, V2]": ...

    @overload
    def map_values(self, mapper: "Callable[[K, V], V2]", *, value: Typed[V2] | None = None) -> "Table[K, V2]": ...

    def map_values(self, mapper: "Of[K, V, V2]", *, value: Typed[V2] | None = None) -> "Table[K, V2]":
        """Replace each value by what `mapper` gives."""
        operator = MapTable(checked(mapper))
        node = self.topology.add("map-values", operator, self.node)
        serde = None if value is None else self.topology.serde(value, node.name, "value")
        return Table(self.topology, node, self.key, serde)

    @overload
    def group_by(self, selector: "Callable[[V], K2]", *, key: Typed[K2] | None = None) -> "GroupedTable[K2, V]": ...

    @overload
    def group_by(self, selector: "Callable[[K, V], K2]", *, key: Typed[K2] | None = None) -> "GroupedTable[K2, V]": ...

    def group_by(self, selector: "Of[K, V, K2]", *, key: Typed[K2] | None = None) -> "GroupedTable[K2, V]":
        """Group the values by what `selector` gives; a value that changes its group leaves the one it was in."""
        operator = Regroup(checked(selector), takes_key(selector))
        node = self.topology.add("group-by", operator, self.node)
        serde = STRING if key is None else self.topology.serde(key, node.name, "key")
        return self.topology.grouped(node, serde, self.value)

    def to_stream(self) -> "Stream[K, V | None]":
        """The changes as a flow of records: the new value of a key, or None where it has none any more."""
        node = self.topology.add("to-stream", ToStream(), self.node)
        value: Serde[Any] | None = self.value
        return self.topology.stream_of(node, self.key, value, nullable=True)

    def to(self, topic: str, value: Typed[V] | None = None, *, key: Typed[K] | None = None) -> None:
        """Write the changes to a topic."""
        changes: Stream[K, Any] = self.to_stream()
        changes.to(topic, value, key=key)

    def _step(self, kind: str, operator: Operator, value: Serde[Any] | None) -> "Table[K, Any]":
        return Table(self.topology, self.topology.add(kind, operator, self.node), self.key, value)


class GlobalTable(Generic[K, V]):
    """The latest value of each key of a topic, of all partitions."""

    def __init__(self, topic: str, key: Serde[K], value: Serde[V]) -> None:
        self.topic = topic
        self.key = key
        self.value = value

    @property
    def kept(self) -> Kept:
        """How every instance keeps it."""
        return KeptByKey(self.topic, self.key, attrgetter("value"))
