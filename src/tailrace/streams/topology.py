"""The description of a stream application: what is read, what happens to it, and where the results go.

    topology = Topology("fraud-filter")
    payments = topology.stream("payments", JsonSerde(Payment))
    payments.filter(lambda payment: payment.fraud_probability > 0.8).to("fraudulent-payments")

A topology does nothing by itself: `tailrace.streams.run` runs it on a cluster, `tailrace.testing.TopologyDriver` in a
test without one.
"""

from collections import Counter
from collections.abc import Sequence
from re import Pattern
from typing import Any, TypeVar, overload

from tailrace.registry.client import Registry
from tailrace.registry.serde import Serde
from tailrace.streams.describe import describe, fingerprint
from tailrace.streams.drawing import mermaid, svg
from tailrace.streams.errors import TopologyError
from tailrace.streams.flowing import Flowing
from tailrace.streams.graph import graph_of
from tailrace.streams.grouped import GroupedTable
from tailrace.streams.handling import ErrorHandler, OnError
from tailrace.streams.node import Node, Operator
from tailrace.streams.operators.decide import Decide
from tailrace.streams.operators.regroup import ChangeSerde
from tailrace.streams.operators.sink import Sink
from tailrace.streams.operators.source import StreamSource, TableSource, TimestampExtractor
from tailrace.streams.patterns import is_match
from tailrace.streams.plan import Plan
from tailrace.streams.stream import Stream
from tailrace.streams.subtopology import Handling
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.table_joins import TableJoins
from tailrace.streams.types import Typed, needs_contract, serde_of

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Topology:
    """Streams, tables and what connects them; `name` is the application's and its consumer group's.

    `registry`: where the contracts of Struct classes are. `on_unreadable`, `on_failure` and `on_unwritable` say what
    becomes of records that cannot be read, of those that a step raises an exception on, and of those with an output
    that cannot be written; dead letters go to the topic `dead_letters`.
    """

    def __init__(
        self,
        name: str,
        *,
        registry: Registry | None = None,
        on_unreadable: ErrorHandler = OnError.FAIL,
        on_failure: ErrorHandler = OnError.FAIL,
        on_unwritable: ErrorHandler = OnError.FAIL,
        dead_letters: str = "dead-letters",
    ) -> None:
        self.name = name
        self.handling = Handling(on_unreadable, on_failure, on_unwritable, dead_letters)
        self.nodes: list[Node] = []
        self.tables: list[TableJoins[Any, Any]] = []
        self.global_tables: dict[str, GlobalTable[Any, Any]] = {}
        self.sinks: dict[str, Sink] = {}
        self.journals: dict[str, Decide] = {}
        # Topics of the application's own that records go through, with the number of partitions where one is given.
        self.repartitions: dict[str, int | None] = {}
        self.patterns: list[Pattern[str]] = []
        self._registry = registry
        self._read: set[str] = set()
        self._counts: Counter[str] = Counter()

    @overload
    def stream(
        self,
        topics: str | Sequence[str] | Pattern[str],
        value: Typed[V],
        *,
        timestamp: TimestampExtractor | None = None,
        nullable: bool = False,
    ) -> Stream[str, V]: ...

    @overload
    def stream(
        self,
        topics: str | Sequence[str] | Pattern[str],
        value: Typed[V],
        *,
        key: Typed[K],
        timestamp: TimestampExtractor | None = None,
        nullable: bool = False,
    ) -> Stream[K, V]: ...

    def stream(
        self,
        topics: str | Sequence[str] | Pattern[str],
        value: Typed[V],
        *,
        key: Typed[Any] = str,
        timestamp: TimestampExtractor | None = None,
        nullable: bool = False,
    ) -> Stream[Any, V]:
        """Read a topic, or several, or all that a pattern means, as a flow of records.

        A pattern means the topics whose whole name it matches, also those that are made later, but none that is
        internal to Kafka or that the application makes itself. Of a Struct class it takes the contract that the
        registry has for the first of them.

        `timestamp`: gives a record's time from the record and its value, where it is not the record's own. `nullable`:
        whether records without a value are passed on, as None; otherwise they count as unreadable.
        """
        if isinstance(topics, Pattern):
            self._claim_all(topics)
            key_serde = self._serde_of_pattern(key, topics, "key")
            value_serde = self._serde_of_pattern(value, topics, "value")
            source = StreamSource((), key_serde, value_serde, timestamp, nullable, topics)
        else:
            names = (topics,) if isinstance(topics, str) else tuple(topics)
            if not names:
                raise TopologyError(f"{self.name}: a stream needs at least one topic")
            for name in names:
                self._claim(name)
            key_serde, value_serde = self.serde(key, names[0], "key"), self.serde(value, names[0], "value")
            source = StreamSource(names, key_serde, value_serde, timestamp, nullable)
        node = self.add("stream", source, name=", ".join(source.names))
        return Stream(self, node, key_serde, value_serde, nullable=nullable)

    @overload
    def table(self, topic: str, value: Typed[V]) -> Table[str, V]: ...

    @overload
    def table(self, topic: str, value: Typed[V], *, key: Typed[K]) -> Table[K, V]: ...

    def table(self, topic: str, value: Typed[V], *, key: Typed[Any] = str) -> Table[Any, V]:
        """Read a topic as a table; its partitions go with those of the streams."""
        self._claim(topic)
        key_serde = self.serde(key, topic, "key")
        source = TableSource(topic, key_serde, self.serde(value, topic, "value"))
        return Table(self, self.add("table", source, name=topic), key_serde, source.value, topic)

    @overload
    def global_table(self, topic: str, value: Typed[V]) -> GlobalTable[str, V]: ...

    @overload
    def global_table(self, topic: str, value: Typed[V], *, key: Typed[K]) -> GlobalTable[K, V]: ...

    def global_table(self, topic: str, value: Typed[V], *, key: Typed[Any] = str) -> GlobalTable[Any, V]:
        """Read a topic as a table of which every instance holds all."""
        self._claim(topic)
        table = GlobalTable(topic, self.serde(key, topic, "key"), self.serde(value, topic, "value"))
        self.global_tables[topic] = table
        return table

    def topics(self) -> set[str]:
        """The topics that have to exist: all that it reads or writes and does not make itself."""
        return Plan(self).topics

    def describe(self) -> str:
        """Draw it as indented text."""
        return describe(Plan(self))

    def mermaid(self) -> str:
        """Draw it as a Mermaid flowchart."""
        return mermaid(graph_of(Plan(self)))

    def svg(self) -> str:
        """Draw it as an SVG document."""
        return svg(graph_of(Plan(self)))

    def fingerprint(self) -> str:
        """A hash of its steps, how they are connected, their topics and their stores; not of the functions in them.

        Two topologies with the same one can go on with each other's state.
        """
        return fingerprint(Plan(self))

    def add(
        self, kind: str, operator: Operator, *parents: Node, name: str | None = None, reads: Sequence[Node] = ()
    ) -> Node:
        """Append a step; without a `name` it is called by its kind and a number."""
        node = Node(name or self.number(kind), operator, parents, tuple(reads))
        self.nodes.append(node)
        return node

    def stream_of(
        self,
        node: Node,
        key: Serde[K] | None,
        value: Serde[V] | None,
        *,
        nullable: bool = False,
        is_rekeyed: bool = False,
    ) -> Stream[K, V]:
        """What flows out of a step as a stream; see Flowing."""
        return Stream(self, node, key, value, nullable=nullable, is_rekeyed=is_rekeyed)

    def table_of(self, node: Node, key: Serde[K] | None, value: Serde[V] | None) -> Table[K, V]:
        """What flows out of a step as the changes of a table."""
        return Table(self, node, key, value)

    def repartitioned(self, flow: Flowing[K, V], name: str, partitions: int | None) -> Stream[K, V]:
        """A flow by way of a topic of the application's own; see Stream.repartition."""
        topic = f"{self.name}-{name}-repartition"
        key, value = flow.needed(topic, "key"), flow.needed(topic, "value")
        sink = Sink(topic, key, value, nullable=flow.nullable)
        return self.by_way_of(topic, sink, flow.node, key=key, value=value, partitions=partitions)

    def by_way_of(
        self,
        topic: str,
        sink: Sink,
        *nodes: Node,
        key: Serde[K],
        value: Serde[V],
        partitions: int | None = None,
    ) -> Stream[K, V]:
        """What flows out of steps by way of a topic of the application's own; `key` and `value`: as it is read."""
        for node in nodes:
            self.add("to", sink, node)
        self.repartitions[topic] = partitions
        return self.stream(topic, value, key=key, nullable=sink.nullable)

    def grouped(self, node: Node, key: Serde[K], value: Serde[V] | None) -> GroupedTable[K, V]:
        """The changes that flow out of a step, grouped by their key."""
        changes: Stream[K, Any] = Stream(
            self, node, key, None if value is None else ChangeSerde(value), is_rekeyed=True
        )
        return GroupedTable(changes, value)

    def number(self, kind: str) -> str:
        """Make the next name of a kind."""
        self._counts[kind] += 1
        return f"{kind}-{self._counts[kind]}"

    def serde(self, typed: Typed[T], topic: str, part: str) -> Serde[T]:
        """The serde for a type of a topic's keys or values."""
        return serde_of(typed, topic, part, self._registry)

    def _serde_of_pattern(self, typed: Typed[T], pattern: Pattern[str], part: str) -> Serde[T]:
        """The serde for a type of the keys or values of the topics that a pattern means."""
        if self._registry is None or not needs_contract(typed):
            return self.serde(typed, pattern.pattern, part)
        subjects = (subject.removesuffix(f"-{part}") for subject in sorted(self._registry.subjects()))
        topic = next((topic for topic in subjects if is_match(pattern, topic)), None)
        if topic is None:
            raise TopologyError(
                f"{self.name}: the registry has no contract of {part}s of a topic like {pattern.pattern}"
            )
        return self.serde(typed, topic, part)

    def _claim(self, topic: str) -> None:
        if topic in self._read:
            raise TopologyError(f"{self.name} reads topic {topic} twice; use one stream of it in several places")
        if topic not in self.repartitions:
            for pattern in self.patterns:
                self._check_apart(pattern, topic)
        self._read.add(topic)

    def _claim_all(self, pattern: Pattern[str]) -> None:
        if not isinstance(pattern.pattern, str):
            raise TopologyError(f"{self.name}: {pattern.pattern!r} is a pattern of bytes; expected one of text")
        if pattern in self.patterns:
            raise TopologyError(f"{self.name} reads topics like {pattern.pattern} twice; use one stream of them")
        for topic in sorted(self._read - self.repartitions.keys()):
            self._check_apart(pattern, topic)
        self.patterns.append(pattern)

    def _check_apart(self, pattern: Pattern[str], topic: str) -> None:
        if is_match(pattern, topic):
            raise TopologyError(
                f"{self.name} reads topic {topic} twice: by its name, and as one like {pattern.pattern}; "
                f"use a pattern that does not mean it"
            )
