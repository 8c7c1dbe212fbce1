"""What every flow of records is: a step of a topology, and how its keys and values are written."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.node import Node, Operator
from tailrace.streams.types import STRING, Typed

if TYPE_CHECKING:
    from tailrace.streams.stream import Stream
    from tailrace.streams.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class Flowing(Generic[K, V]):
    """A flow of records at one point of a topology. `is_rekeyed`: whether the key is another than that of the record
    read, so that records of one key are not all in one task. `nullable`: whether None is among the values.
    """

    def __init__(
        self,
        topology: "Topology",
        node: Node,
        key: Serde[K] | None,
        value: Serde[V] | None,
        *,
        nullable: bool = False,
        is_rekeyed: bool = False,
    ) -> None:
        self.topology = topology
        self.node = node
        self.key = key
        self.value = value
        self.nullable = nullable
        self.is_rekeyed = is_rekeyed
        self._repartitioned: Stream[K, V] | None = None

    def needed(self, topic: str, part: str) -> Serde[Any]:
        """How keys or values (`part`) are written. Raises TopologyError when that is not known."""
        serde = self.key if part == "key" else self.value
        if serde is None:
            raise TopologyError(
                f"{topic}: how to write the {part}s of {self.node.name} is not known; say {part}=... there or here"
            )
        return serde

    def keyed(self, name: str) -> "Stream[K, V]":
        """The same flow with all records of a key in one task."""
        if not self.is_rekeyed:
            return self.topology.stream_of(self.node, self.key, self.value, nullable=self.nullable)
        if self._repartitioned is None:
            self._repartitioned = self.topology.repartitioned(self, name, None)
        return self._repartitioned

    def same(self, kind: str, operator: Operator) -> "Stream[K, V]":
        """Append a step that passes on keys and values as they are."""
        node = self.topology.add(kind, operator, self.node)
        return self.topology.stream_of(node, self.key, self.value, nullable=self.nullable, is_rekeyed=self.is_rekeyed)

    def revalued(self, kind: str, operator: Operator, value: Typed[V2] | None) -> "Stream[K, V2]":
        """Append a step that makes other values, of this type if it is known."""
        node = self.topology.add(kind, operator, self.node)
        serde = None if value is None else self.topology.serde(value, node.name, "value")
        return self.topology.stream_of(node, self.key, serde, nullable=self.nullable, is_rekeyed=self.is_rekeyed)

    def rekeyed(
        self, kind: str, operator: Operator, key: Typed[K2] | None, value: Typed[V2] | None
    ) -> "Stream[K2, V2]":
        """Append a step that makes other keys and values, of these types; keys are text unless told otherwise."""
        node = self.topology.add(kind, operator, self.node)
        key_serde = STRING if key is None else self.topology.serde(key, node.name, "key")
        value_serde = None if value is None else self.topology.serde(value, node.name, "value")
        return self.topology.stream_of(node, key_serde, value_serde, nullable=self.nullable, is_rekeyed=True)
