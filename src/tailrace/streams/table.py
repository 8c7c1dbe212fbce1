"""Tables: the latest value of each key."""

from typing import Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.node import Node

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """The latest value of each key of a topic, of the task's own partition."""

    def __init__(self, topic: str, key: Serde[K], value: Serde[V], node: Node) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.node = node


class GlobalTable(Generic[K, V]):
    """The latest value of each key of a topic, of all partitions."""

    def __init__(self, topic: str, key: Serde[K], value: Serde[V]) -> None:
        self.topic = topic
        self.key = key
        self.value = value
