"""Cogrouped streams: several streams that add to the same aggregate, each in its own way."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tailrace.streams.aggregates import Functions
from tailrace.streams.grouped import GroupedStream, WindowedStream, msgpack_of
from tailrace.streams.node import Node
from tailrace.streams.operators.aggregate import Cogroup
from tailrace.streams.table import Table
from tailrace.streams.types import Typed
from tailrace.streams.windows import Emit, Windows

K = TypeVar("K")
V2 = TypeVar("V2")
A = TypeVar("A")

# A grouped stream, and how its values come into the aggregate.
Part = tuple[GroupedStream[Any, Any], Callable[..., Any]]


class CogroupedStream(Generic[K, A]):
    """Groups of several streams by the same key; `cogroup` adds one, `aggregate` makes the table."""

    def __init__(self, parts: list[Part], windows: tuple[Windows, Emit] | None = None) -> None:
        self._parts = parts
        self._windows = windows

    def cogroup(
        self, other: GroupedStream[K, V2], add: Callable[[A, V2], A] | Callable[[Any, A, V2], A]
    ) -> "CogroupedStream[K, A]":
        """Let the values of another stream come into the aggregate, by a function of theirs."""
        return CogroupedStream([*self._parts, (other, add)], self._windows)

    def windowed_by(self, windows: Windows, *, emit: Emit = Emit.UPDATE) -> "CogroupedStream[Any, A]":
        """Group by windows of time as well; see GroupedStream.windowed_by."""
        return CogroupedStream(self._parts, (windows, emit))

    def aggregate(
        self,
        initial: A,
        *,
        merge: Callable[[A, A], A] | None = None,
        store: str | None = None,
        value: Typed[A] | None = None,
    ) -> Table[Any, A]:
        """Keep one aggregate of all streams for each key; see GroupedStream.aggregate."""
        topology = self._parts[0][0].topology
        name = store or topology.number("cogroup")
        serde = msgpack_of(name, initial) if value is None else topology.serde(value, name, "value")
        nodes: list[Node] = []
        for number, (part, add) in enumerate(self._parts):
            source = part.stream.keyed(name if number == 0 else f"{name}-{number}")
            key = source.needed(name, "key")
            grouping = part if self._windows is None else WindowedStream(source, *self._windows)
            aggregate: Functions[Any, A] = Functions(initial, add, None, merge)
            operator, key_of_table = grouping.operator(name, aggregate, key, serde, owns_store=number == 0)
            nodes.append(topology.add("cogroup", operator, source.node, name=f"{name}-{number}"))
        node = topology.add("cogroup", Cogroup(key_of_table, name, nodes[0]), *nodes, name=name)
        return Table(topology, node, key_of_table, serde)
