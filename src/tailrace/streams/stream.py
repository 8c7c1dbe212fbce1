"""Streams: flows of records, and the steps that can be put behind each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tailrace.registry.serde import AvroSerde, Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.grouped import GroupedStream
from tailrace.streams.joins import Joins
from tailrace.streams.node import Node
from tailrace.streams.operators.decide import Decide, Identity
from tailrace.streams.operators.function import Of, checked
from tailrace.streams.operators.process import Process
from tailrace.streams.operators.sink import HeaderFunction, Router, Sink
from tailrace.streams.operators.table import ToTable
from tailrace.streams.processor import Processor, ProcessorContext
from tailrace.streams.stateless import StatelessSteps
from tailrace.streams.stored import AnyStored, check_stored
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.types import Typed

if TYPE_CHECKING:
    from tailrace.streams.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")


class Stream(StatelessSteps[K, V], Joins[K, V]):
    """A flow of records; every method makes a new flow and leaves this one as it is.

    A function given to a step gets the value if it takes one argument, key and value if it takes two. `key` and `value`
    are how keys and values are written where nothing else is said; a step that makes other values takes the new type.
    """

    def repartition(self, name: str | None = None, *, partitions: int | None = None) -> "Stream[K, V]":
        """Write the records to a topic of the application's own and read them from there, so that keys meet.

        Steps that need it do this by themselves where keys have changed. `name`: part of the topic's name,
        `<application>-<name>-repartition`; `partitions`: as many as the topics read, unless given.
        """
        return self.topology.repartitioned(self, name or self.topology.number("repartition"), partitions)

    def through(self, topic: str, *, key: Typed[K] | None = None, value: Typed[V] | None = None) -> "Stream[K, V]":
        """Write the records to a topic that exists, and read them from there."""
        self.to(topic, value, key=key)
        key, value = key or self.needed(topic, "key"), value or self.needed(topic, "value")
        return self.topology.stream(topic, value, key=key, nullable=self.nullable)

    def process(
        self,
        make: "Callable[[ProcessorContext], Processor[K, V]]",
        *,
        stores: Sequence[AnyStored] = (),
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Have a processor of one's own handle the records; see tailrace.streams.processor.

        `make(context)` makes one for each task. It has the `stores` given, whose names are part of the names of their
        changelogs. `key` and `value`: the types of what it passes on.
        """
        for stored in stores:
            check_stored(stored)
        source = self.keyed(self.topology.number("process")) if stores else self
        builders = tuple(stored.builder(self.topology.serde) for stored in stores)
        return source.rekeyed("process", Process(make, builders), key, value)

    def to_table(self, *, store: str | None = None) -> "Table[K, V]":
        """Keep the latest value of each key; None deletes it. `store` names the state."""
        name = store or self.topology.number("table")
        source = self.keyed(name)
        value = source.needed(name, "value")
        node = self.topology.add("to-table", ToTable(name, value), source.node, name=name)
        return Table(self.topology, node, source.key, value)

    def group_by_key(self) -> GroupedStream[K, V]:
        """Group the records by their key."""
        return GroupedStream(self)

    @overload
    def group_by(self, selector: "Callable[[V], K2]", *, key: Typed[K2] | None = None) -> GroupedStream[K2, V]: ...

    @overload
    def group_by(self, selector: "Callable[[K, V], K2]", *, key: Typed[K2] | None = None) -> GroupedStream[K2, V]: ...

    def group_by(self, selector: "Of[K, V, K2]", *, key: Typed[K2] | None = None) -> GroupedStream[K2, V]:
        """Group the records by what `selector` gives."""
        return self.select_key(selector, key=key).group_by_key()

    def decide(
        self,
        store: str,
        decide: Callable[..., Iterable[V2]],
        evolve: Callable[[Any, V2], Any],
        *,
        initial: Any,
        identity: Identity | None = None,
        tables: Sequence[Table[Any, Any] | GlobalTable[Any, Any]] = (),
    ) -> "Decisions[K, V2]":
        """Turn requests into events on the state called `store`; see tailrace.streams.operators.decide.

        `decide(key, state, request, record, *tables)` gives the events, `evolve(state, event)` the next state,
        `initial` is the state of a key that has none. The events have to go to topics: these are the state's journal.
        """
        topics = tuple(table.topic for table in tables if table.topic is not None)
        if len(topics) < len(tables):
            raise TopologyError(f"{store}: a decision reads tables of topics; write this one to a topic and read that")
        operator = Decide(store, decide, evolve, initial, identity, topics)
        source = self.keyed(store)
        reads = tuple(table.node for table in tables if isinstance(table, Table))
        node = self.topology.add("decide", operator, source.node, name=store, reads=reads)
        return Decisions(self.topology, node, source.key, None, operator)

    def to(
        self,
        topic: str | Callable[[V], str] | Callable[[K, V], str],
        value: Typed[V] | None = None,
        *,
        key: Typed[K] | None = None,
        headers: HeaderFunction | None = None,
    ) -> None:
        """Write the records to a topic, or to one that a function chooses; the partition is that of the key.

        `value` and `key`: how they are written, where it is not as they were read. `headers`: a function of the record
        that was read, such as `lambda record: record.headers()`.
        """
        sink = self._sink(topic if isinstance(topic, str) else checked(topic), value, key, headers)
        self.topology.add("to", sink, self.node)

    def route(self, routes: Mapping[type, tuple[str, Typed[Any]]], *, key: Typed[K] | None = None) -> None:
        """Write each value to the topic for its type; the partition is that of the key."""
        sinks = {kind: self._sink(topic, value, key, None) for kind, (topic, value) in routes.items()}
        self.topology.add("route", Router(sinks), self.node)

    def _sink(
        self, topic: Any, value: Typed[Any] | None, key: Typed[Any] | None, headers: HeaderFunction | None
    ) -> Sink:
        name = topic if isinstance(topic, str) else "to"
        sink = Sink(
            topic,
            self.topology.serde(key or self._inherited(name, "key"), name, "key"),
            self.topology.serde(value or self._inherited(name, "value"), name, "value"),
            nullable=self.nullable,
            journal_of=self._journal_of(name),
            headers=headers,
        )
        if isinstance(topic, str):
            self.topology.sinks.setdefault(topic, sink)
        return sink

    def _journal_of(self, topic: str) -> Decide | None:
        if topic in self.topology.journals:
            raise TopologyError(f"topic {topic} is already the journal of {self.topology.journals[topic].store}")
        return None

    def _inherited(self, topic: str, part: str) -> Serde[Any]:
        """How a topic is written about which nothing is said: as what was read, as a contract of its own."""
        serde = self.needed(topic, part)
        return serde.of_subject(f"{topic}-{part}") if isinstance(serde, AvroSerde) else serde


class Decisions(Stream[K, V]):
    """The events of a decision. The topics that they go to are the journal of its state: each event is written to the
    partition that the request came from.
    """

    def __init__(
        self, topology: "Topology", node: Node, key: Serde[K] | None, value: Serde[V] | None, decide: Decide
    ) -> None:
        super().__init__(topology, node, key, value)
        self._decide = decide

    def _journal_of(self, topic: str) -> Decide | None:
        super()._journal_of(topic)
        self.topology.journals[topic] = self._decide
        return self._decide
