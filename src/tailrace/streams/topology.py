"""The description of a stream application: what is read, what happens to it, and where the results go.

    topology = Topology("fraud-filter")
    payments = topology.stream("payments", payment_serde)
    payments.filter(lambda p: p.fraud_probability > 0.8).to("fraudulent-payments", payment_serde)

A topology does nothing by itself: `tailrace.streams.run` runs it on a cluster, `tailrace.testing.TopologyDriver` in a
test without one. Keys are UTF-8 text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.operators.decide import Decide, Identity
from tailrace.streams.operators.operator import Operator
from tailrace.streams.operators.sink import Router, Sink
from tailrace.streams.operators.stateless import Filter, MapValues, Merge

V = TypeVar("V")
R = TypeVar("R")


class TopologyError(Exception):
    """A topology that cannot run, and why."""


@dataclass(eq=False)
class Node:
    """A step and what it feeds; `operator` is None at a source."""

    operator: Operator | None
    children: list["Node"] = field(default_factory=list)

    def add(self, operator: Operator) -> "Node":
        """Append a step."""
        child = Node(operator)
        self.children.append(child)
        return child


@dataclass(frozen=True)
class Source:
    """A topic that is read as a stream."""

    topic: str
    value: Serde[Any]
    node: Node


@dataclass(frozen=True)
class Table(Generic[V]):
    """The latest value of each key of a topic, of the task's own partition."""

    topic: str
    value: Serde[V]


@dataclass(frozen=True)
class GlobalTable(Generic[V]):
    """The latest value of each key of a topic, of all partitions."""

    topic: str
    value: Serde[V]


class Stream(Generic[V]):
    """A flow of records with values of one type; every method makes a new flow and leaves this one as it is."""

    def __init__(self, topology: "Topology", node: Node) -> None:
        self._topology = topology
        self._node = node

    def filter(self, predicate: Callable[[V], bool]) -> "Stream[V]":
        """Keep the values for which `predicate` holds."""
        return Stream(self._topology, self._node.add(Filter(predicate)))

    def map_values(self, mapper: Callable[[V], R]) -> "Stream[R]":
        """Replace each value by `mapper(value)`."""
        return Stream(self._topology, self._node.add(MapValues(mapper)))

    def merge(self, other: "Stream[R]") -> "Stream[V | R]":
        """Join two flows into one; records of the same partition number meet in one task."""
        merged = self._node.add(Merge())
        other._node.children.append(merged)
        return Stream(self._topology, merged)

    def decide(
        self,
        store: str,
        decide: Callable[..., Iterable[R]],
        evolve: Callable[[Any, R], Any],
        *,
        initial: Any,
        identity: Identity | None = None,
        tables: Sequence[Table[Any] | GlobalTable[Any]] = (),
    ) -> "Decisions[R]":
        """Turn requests into events on the state called `store`; see tailrace.streams.operators.decide.

        `decide(key, state, request, record, *tables)` gives the events, `evolve(state, event)` the next state,
        `initial` is the state of a key that has none. The events have to go to topics: these are the state's journal.
        """
        operator = Decide(store, decide, evolve, initial, identity, tuple(table.topic for table in tables))
        return Decisions(self._topology, self._node.add(operator), operator)

    def to(self, topic: str, value: Serde[V]) -> None:
        """Write the values to a topic; the partition is that of the key."""
        self._node.add(self._sink(topic, value))

    def route(self, routes: Mapping[type, tuple[str, Serde[Any]]]) -> None:
        """Write each value to the topic for its type; the partition is that of the key."""
        self._node.add(Router({kind: self._sink(*route) for kind, route in routes.items()}))

    def _sink(self, topic: str, value: Serde[Any]) -> Sink:
        self._topology.sinks[topic] = value
        return Sink(topic, value, is_journal=False)


class Decisions(Stream[V]):
    """The events of a decision. The topics that they go to are the journal of its state: each event is written to the
    partition that the request came from.
    """

    def __init__(self, topology: "Topology", node: Node, operator: Decide) -> None:
        super().__init__(topology, node)
        self._operator = operator

    def _sink(self, topic: str, value: Serde[Any]) -> Sink:
        if topic in self._topology.journals:
            raise TopologyError(
                f"topic {topic} is already the journal of {self._topology.journals[topic].decide.store}"
            )
        self._topology.sinks[topic] = value
        self._topology.journals[topic] = Journal(topic, value, self._operator)
        return Sink(topic, value, is_journal=True)


@dataclass(frozen=True)
class Journal:
    """A topic whose events, folded, are the state of a decision."""

    topic: str
    value: Serde[Any]
    decide: Decide


class Topology:
    """Streams, tables and what connects them; `name` is the application's and its consumer group's.

    Records that cannot be read go to the topic `dead_letters`.
    """

    def __init__(self, name: str, dead_letters: str = "dead-letters") -> None:
        self.name = name
        self.dead_letters = dead_letters
        self.sources: dict[str, Source] = {}
        self.tables: dict[str, Table[Any]] = {}
        self.global_tables: dict[str, GlobalTable[Any]] = {}
        self.journals: dict[str, Journal] = {}
        self.sinks: dict[str, Serde[Any]] = {}

    def stream(self, topic: str, value: Serde[V]) -> Stream[V]:
        """Read a topic as a flow of records."""
        self._claim(topic)
        source = Source(topic, value, Node(None))
        self.sources[topic] = source
        return Stream(self, source.node)

    def table(self, topic: str, value: Serde[V]) -> Table[V]:
        """Read a topic as a table; its partitions go with those of the streams."""
        self._claim(topic)
        self.tables[topic] = Table(topic, value)
        return self.tables[topic]

    def global_table(self, topic: str, value: Serde[V]) -> GlobalTable[V]:
        """Read a topic as a table of which every instance holds all."""
        self._claim(topic)
        self.global_tables[topic] = GlobalTable(topic, value)
        return self.global_tables[topic]

    def check(self, partitions: Mapping[str, int]) -> int:
        """Return the number of tasks, given each topic's partition count.

        Raises TopologyError when keys that have to meet would not.
        """
        together = [*self.sources, *self.tables, *self.journals]
        if not self.sources:
            raise TopologyError(f"{self.name} reads no stream")
        first = together[0]
        for topic in together[1:]:
            if partitions[topic] != partitions[first]:
                raise TopologyError(
                    f"{self.name}: {first} has {partitions[first]} partitions and {topic} has {partitions[topic]}; "
                    "records of one key meet only where the numbers are equal"
                )
        for node in self._nodes():
            if isinstance(node.operator, Decide) and node.operator not in [j.decide for j in self.journals.values()]:
                raise TopologyError(
                    f"{self.name}: the events of {node.operator.store} go nowhere; route them to topics"
                )
        return partitions[first]

    def topics(self) -> set[str]:
        """All topics that it reads or writes."""
        return {*self.sources, *self.tables, *self.global_tables, *self.sinks, self.dead_letters}

    def describe(self) -> str:
        """Draw the topology as indented text."""
        lines = [self.name]
        lines += [f"  table {topic}" for topic in self.tables]
        lines += [f"  global table {topic}" for topic in self.global_tables]
        for source in self.sources.values():
            lines.append(f"  stream {source.topic}")
            lines += _describe(source.node, 2)
        return "\n".join(lines)

    def _claim(self, topic: str) -> None:
        if topic in self.sources or topic in self.tables or topic in self.global_tables:
            raise TopologyError(f"{self.name} reads topic {topic} twice; use one stream of it in several places")

    def _nodes(self) -> Iterable[Node]:
        waiting = [source.node for source in self.sources.values()]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children


def _describe(node: Node, depth: int) -> list[str]:
    lines = []
    for child in node.children:
        assert child.operator is not None
        lines.append("  " * depth + "-> " + child.operator.describe())
        lines += _describe(child, depth + 1)
    return lines
