"""Streams: flows of records, and the steps that can be put behind each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace.registry.serde import AvroSerde, Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.grouped import GroupedStream
from tailrace.streams.node import Node, Operator
from tailrace.streams.operators.decide import Decide, Identity
from tailrace.streams.operators.function import Of, checked
from tailrace.streams.operators.join import JoinGlobalTable, JoinTable
from tailrace.streams.operators.join_streams import JoinStreamSide, StreamJoin
from tailrace.streams.operators.join_tables import Join
from tailrace.streams.operators.pair import check_joiner
from tailrace.streams.operators.process import Process
from tailrace.streams.operators.sink import HeaderFunction, Router, Sink
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
from tailrace.streams.operators.table import ToTable
from tailrace.streams.processor import Processor, ProcessorContext, Stored
from tailrace.streams.state.store import StoreSpec
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.types import STRING, Typed
from tailrace.streams.windows import Duration, JoinWindow

if TYPE_CHECKING:
    from tailrace.streams.topology import Topology

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
R = TypeVar("R")


class Stream(Generic[K, V]):
    """A flow of records; every method makes a new flow and leaves this one as it is.

    A function given to a step gets the value if it takes one argument, key and value if it takes two. `key` and `value`
    are how keys and values are written where nothing else is said; a step that makes other values takes the new type.
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
        self._key = key
        self._value = value
        self._nullable = nullable
        # Whether the key is another than that of the record read, so that records of one key are not all in one task.
        self._is_rekeyed = is_rekeyed
        self._repartitioned: Stream[K, V] | None = None

    def filter(self, predicate: "Of[K, V, object]") -> "Stream[K, V]":
        """Keep the records for which `predicate` is true."""
        return self._same("filter", Filter(checked(predicate)))

    def filter_not(self, predicate: "Of[K, V, object]") -> "Stream[K, V]":
        """Keep the records for which `predicate` is not true."""
        return self._same("filter-not", Filter(checked(predicate), negated=True))

    def map(
        self,
        mapper: "Of[K, V, tuple[K2, V2]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Replace key and value by the pair that `mapper` gives."""
        return self._rekeyed("map", Map(checked(mapper)), key, value)

    def map_values(self, mapper: "Of[K, V, V2]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]":
        """Replace the value by what `mapper` gives; the key stays."""
        return self._revalued("map-values", MapValues(checked(mapper)), value)

    def flat_map(
        self,
        mapper: "Of[K, V, Iterable[tuple[K2, V2]]]",
        *,
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Replace each record by any number of pairs of key and value."""
        return self._rekeyed("flat-map", FlatMap(checked(mapper)), key, value)

    def flat_map_values(self, mapper: "Of[K, V, Iterable[V2]]", *, value: Typed[V2] | None = None) -> "Stream[K, V2]":
        """Replace each record by any number of values; the key stays."""
        return self._revalued("flat-map-values", FlatMapValues(checked(mapper)), value)

    def select_key(self, selector: "Of[K, V, K2]", *, key: Typed[K2] | None = None) -> "Stream[K2, V]":
        """Replace the key by what `selector` gives."""
        node = self.topology.add("select-key", SelectKey(checked(selector)), self.node)
        serde = STRING if key is None else self.topology.serde(key, node.name, "key")
        return Stream(self.topology, node, serde, self._value, nullable=self._nullable, is_rekeyed=True)

    def peek(self, action: "Of[K, V, object]") -> "Stream[K, V]":
        """Call `action` on each record, and pass the record on. It is called again when records are processed again."""
        return self._same("peek", Peek(checked(action)))

    def foreach(self, action: "Of[K, V, object]") -> None:
        """Call `action` on each record. It is called again when records are processed again, after a crash or so."""
        self.peek(action)

    def split(self, *, default: str = "default", **predicates: "Of[K, V, object]") -> "dict[str, Stream[K, V]]":
        """Share the records out: each goes to the branch of the first predicate that is true, or to `default`."""
        if default in predicates:
            raise TopologyError(f"split has two branches called {default}; give the default one another name")
        split = Split({name: checked(predicate) for name, predicate in predicates.items()})
        marked = self._same("split", split)
        return {
            name: marked._same("branch", Branch(split, name, number))
            for number, name in enumerate([*predicates, default])
        }

    def merge(self, *others: "Stream[K, V2]") -> "Stream[K, V | V2]":
        """Join flows into one; records of the same partition number meet in one task."""
        streams: list[Stream[K, Any]] = [self, *others]
        keys = {id(stream._key) for stream in streams}
        values = {id(stream._value) for stream in streams}
        is_rekeyed = any(stream._is_rekeyed for stream in streams)
        key = self._key if len(keys) == 1 else None
        merge = Merge(None if is_rekeyed else key)
        node = self.topology.add("merge", merge, *(stream.node for stream in streams))
        value: Serde[Any] | None = self._value if len(values) == 1 else None
        return Stream(
            self.topology,
            node,
            key,
            value,
            nullable=any(stream._nullable for stream in streams),
            is_rekeyed=is_rekeyed,
        )

    def repartition(self, name: str | None = None, *, partitions: int | None = None) -> "Stream[K, V]":
        """Write the records to a topic of the application's own and read them from there, so that keys meet.

        Steps that need it do this by themselves where keys have changed. `name`: part of the topic's name,
        `<application>-<name>-repartition`; `partitions`: as many as the topics read, unless given.
        """
        return self._through_own_topic(name or self.topology.number("repartition"), partitions)

    def through(self, topic: str, *, key: Typed[K] | None = None, value: Typed[V] | None = None) -> "Stream[K, V]":
        """Write the records to a topic that exists, and read them from there."""
        self.to(topic, value, key=key)
        key, value = key or self.needed(topic, "key"), value or self.needed(topic, "value")
        return self.topology.stream(topic, value, key=key, nullable=self._nullable)

    def process(
        self,
        make: "Callable[[ProcessorContext], Processor[K, V]]",
        *,
        stores: Sequence[Stored] = (),
        key: Typed[K2] | None = None,
        value: Typed[V2] | None = None,
    ) -> "Stream[K2, V2]":
        """Have a processor of one's own handle the records; see tailrace.streams.processor.

        `make(context)` makes one for each task. It has the `stores` given, whose names are part of the names of their
        changelogs. `key` and `value`: the types of what it passes on.
        """
        source = self.keyed(self.topology.number("process")) if stores else self
        specs, keys = [], {}
        for stored in stores:
            specs.append(
                StoreSpec(stored.name, self.topology.serde(stored.value, stored.name, "value"), stored.changelog)
            )
            keys[stored.name] = self.topology.serde(stored.key, stored.name, "key")
        return source._rekeyed("process", Process(make, tuple(specs), keys), key, value)

    def to_table(self, *, store: str | None = None) -> "Table[K, V]":
        """Keep the latest value of each key; None deletes it. `store` names the state."""
        name = store or self.topology.number("table")
        source = self.keyed(name)
        value = source.needed(name, "value")
        node = self.topology.add("to-table", ToTable(name, value), source.node, name=name)
        return Table(self.topology, node, source._key, value)

    def group_by_key(self) -> GroupedStream[K, V]:
        """Group the records by their key."""
        return GroupedStream(self)

    def group_by(self, selector: "Of[K, V, K2]", *, key: Typed[K2] | None = None) -> GroupedStream[K2, V]:
        """Group the records by what `selector` gives."""
        return self.select_key(selector, key=key).group_by_key()

    def join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2], R] | Callable[[K, V, V2], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """Join each record with the value that a table has at its time, or with the records of another stream that are
        `within` a time of it. What finds nothing is dropped.

        `joiner(value, other)`, or `joiner(key, value, other)`, gives the result. A global table is asked for the key
        that `on` gives, the record's own unless told.
        """
        return self._joined(other, joiner, within, on, value, Join.INNER)

    def left_join(
        self,
        other: "Stream[K, V2] | Table[K, V2] | GlobalTable[Any, V2]",
        joiner: "Callable[[V, V2 | None], R] | Callable[[K, V, V2 | None], R]",
        *,
        within: "Duration | JoinWindow | None" = None,
        on: "Of[K, V, Any] | None" = None,
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """As `join`, but what finds nothing is joined with None: when its window closes, if the other is a stream."""
        return self._joined(other, joiner, within, on, value, Join.LEFT)

    def outer_join(
        self,
        other: "Stream[K, V2]",
        joiner: "Callable[[V | None, V2 | None], R] | Callable[[K, V | None, V2 | None], R]",
        *,
        within: "Duration | JoinWindow",
        value: Typed[R] | None = None,
    ) -> "Stream[K, R]":
        """As `left_join` of two streams, for records of either that find nothing."""
        return self._joined(other, joiner, within, None, value, Join.OUTER)

    def _joined(
        self,
        other: "Stream[K, Any] | Table[K, Any] | GlobalTable[Any, Any]",
        joiner: Callable[..., R],
        within: "Duration | JoinWindow | None",
        on: Callable[..., Any] | None,
        value: Typed[R] | None,
        kind: Join,
    ) -> "Stream[K, R]":
        check_joiner(joiner)
        name = self.topology.number(kind.value.replace(" ", "-"))
        if (within is None) == isinstance(other, Stream):
            raise TopologyError(f"{name}: `within` is for joins of two streams, and they need it")
        if on is not None and not isinstance(other, GlobalTable):
            raise TopologyError(f"{name}: `on` is for global tables; select_key gives the records another key")
        serde = None if value is None else self.topology.serde(value, name, "value")
        keeps = kind is not Join.INNER
        if isinstance(other, GlobalTable):
            select = _own_key if on is None else checked(on)
            node = self.topology.add("join", JoinGlobalTable(other.topic, select, joiner, keeps), self.node, name=name)
            return Stream(self.topology, node, self._key, serde, is_rekeyed=self._is_rekeyed)
        source = self.keyed(name)
        if isinstance(other, Stream):
            window = within if isinstance(within, JoinWindow) else JoinWindow(within or 0, within or 0)
            join = StreamJoin(name, window, kind, joiner, source.needed(name, "key"))
            node = source._joined_within(other.keyed(f"{name}-right"), join)
        else:
            operator = JoinTable(other.node, joiner, keeps)
            node = self.topology.add("join", operator, source.node, name=name, reads=(other.node,))
        return Stream(self.topology, node, source._key, serde)

    def _joined_within(self, other: "Stream[K, Any]", join: StreamJoin) -> Node:
        left = JoinStreamSide(join, self.needed(join.name, "value"), is_left=True)
        right = JoinStreamSide(join, other.needed(join.name, "value"), is_left=False)
        sides = [
            self.topology.add("join", left, self.node, name=f"{join.name}-left"),
            self.topology.add("join", right, other.node, name=f"{join.name}-right"),
        ]
        return self.topology.add("merge", Merge(join.key), *sides, name=join.name)

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
        return Decisions(self.topology, node, source._key, None, operator)

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
            nullable=self._nullable,
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

    def needed(self, topic: str, part: str) -> Serde[Any]:
        """How keys or values (`part`) are written. Raises TopologyError when that is not known."""
        serde = self._key if part == "key" else self._value
        if serde is None:
            raise TopologyError(
                f"{topic}: how to write the {part}s of {self.node.name} is not known; say {part}=... there or here"
            )
        return serde

    def keyed(self, name: str) -> "Stream[K, V]":
        """This stream with all records of a key in one task."""
        if not self._is_rekeyed:
            return self
        if self._repartitioned is None:
            self._repartitioned = self._through_own_topic(name, None)
        return self._repartitioned

    def _through_own_topic(self, name: str, partitions: int | None) -> "Stream[K, V]":
        topic = f"{self.topology.name}-{name}-repartition"
        key, value = self.needed(topic, "key"), self.needed(topic, "value")
        self.topology.add("to", Sink(topic, key, value, nullable=self._nullable), self.node)
        self.topology.repartitions[topic] = partitions
        return self.topology.stream(topic, value, key=key, nullable=self._nullable)

    def _same(self, kind: str, operator: Operator) -> "Stream[K, V]":
        node = self.topology.add(kind, operator, self.node)
        return Stream(self.topology, node, self._key, self._value, nullable=self._nullable, is_rekeyed=self._is_rekeyed)

    def _revalued(self, kind: str, operator: Operator, value: Typed[V2] | None) -> "Stream[K, V2]":
        node = self.topology.add(kind, operator, self.node)
        serde = None if value is None else self.topology.serde(value, node.name, "value")
        return Stream(self.topology, node, self._key, serde, nullable=self._nullable, is_rekeyed=self._is_rekeyed)

    def _rekeyed(
        self, kind: str, operator: Operator, key: Typed[K2] | None, value: Typed[V2] | None
    ) -> "Stream[K2, V2]":
        node = self.topology.add(kind, operator, self.node)
        key_serde = STRING if key is None else self.topology.serde(key, node.name, "key")
        value_serde = None if value is None else self.topology.serde(value, node.name, "value")
        return Stream(self.topology, node, key_serde, value_serde, nullable=self._nullable, is_rekeyed=True)


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


def _own_key(key: Any, value: Any) -> Any:
    return key
