"""The plan: a topology cut into sub-topologies where records go through topics, with partitions and internal topics."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from tailrace.client import Topic
from tailrace.streams.errors import TopologyError
from tailrace.streams.handling import OnError
from tailrace.streams.node import Node
from tailrace.streams.operators.decide import Decide
from tailrace.streams.operators.source import StreamSource, TableSource
from tailrace.streams.patterns import Matches, matches
from tailrace.streams.state.divided_backend import InMemory
from tailrace.streams.subtopology import SubTopology, changelog_of

if TYPE_CHECKING:
    from tailrace.streams.topology import Topology

# Records on their way between sub-topologies stay until they are read, however long that takes.
REPARTITION_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


class Plan:
    """How a topology runs. Raises TopologyError when it cannot.

    `topics`: those that there are, among which patterns find theirs. `counts_steps`: whether each step counts its
    records.
    """

    def __init__(self, topology: "Topology", topics: Iterable[str] = (), *, counts_steps: bool = False) -> None:
        self.application = topology.name
        self.global_tables = topology.global_tables
        self._sinks = topology.sinks
        self._repartitions = topology.repartitions
        self._handling = topology.handling
        self._patterns = topology.patterns
        self._stores = [spec.name for node in topology.nodes for spec in node.operator.stores if spec.changelog]
        self.matches = self.matches_in(topics)
        components = _components(topology.nodes)
        self.subtopologies = [
            SubTopology(topology.name, nodes, topology.handling, self.matches, counts_steps=counts_steps)
            for nodes in components
        ]
        self.named = {sub.name: sub for sub in self.subtopologies}
        self.of_topic = {topic: sub for sub in self.subtopologies for topic in sub.inputs}
        self.tables = frozenset(topic for sub in self.subtopologies for topic in sub.tables)
        # Whether anything waits until a topic was read to its end.
        self.needs_ends = bool(self.tables) or any(sub.is_timed for sub in self.subtopologies)
        self._check()

    def matches_in(self, topics: Iterable[str]) -> Matches:
        """Those of the topics that each pattern means; the application's own are none of them."""
        if not self._patterns:
            return {}
        own = {*self._repartitions, *(changelog_of(self.application, store) for store in self._stores)}
        return matches(self.application, self._patterns, topics, own)

    @cached_property
    def topics(self) -> set[str]:
        """The topics that have to exist: all that it reads or writes and does not make itself."""
        handling = self._handling
        may_die = any(handler is OnError.DEAD_LETTER or callable(handler) for handler in handling.handlers)
        own = {handling.dead_letters} if may_die else set()
        return ({*self.of_topic, *self.global_tables, *self._sinks} | own) - set(self._repartitions)

    def check_stores(self, names: Collection[str]) -> None:
        """Raise TopologyError unless these are names of stores, tables or global tables."""
        known = {name for sub in self.subtopologies for name in (*sub.stores, *sub.tables, *sub.flowing_tables)}
        known |= self.global_tables.keys()
        for name in sorted(set(names) - known):
            there_are = ", ".join(sorted(known)) or "none"
            raise TopologyError(f"{self.application} has no store {name!r} to keep in memory; there are: {there_are}")

    def in_memory(self, names: Collection[str]) -> InMemory:
        """The global tables that are in memory where all that has these names is."""
        tables = frozenset(self.global_tables.keys() & names)
        return InMemory(tables, tables)

    @cached_property
    def chooses_topics(self) -> bool:
        """Whether functions choose topics that are written to."""
        return any(sub.chooses_topics for sub in self.subtopologies)

    def internal_topics(self, existing: Mapping[str, int], made: Mapping[str, int] | None = None) -> list[Topic]:
        """The topics that it makes, given the partition counts of those that exist; see `partitions`."""
        counts = self.partitions(existing, made)
        changelogs = [
            Topic(sub.changelog(name), tasks, _changelog_config(sub.stores[name].retention_ms))
            for sub, tasks in self.tasks(counts)
            for name in sub.changelogged
        ]
        return [*(Topic(topic, counts[topic], REPARTITION_CONFIG) for topic in self._repartitions), *changelogs]

    def partitions(self, existing: Mapping[str, int], made: Mapping[str, int] | None = None) -> dict[str, int]:
        """The partition counts of all topics that it reads or writes, given those of the topics that exist.

        `made`: those of topics of its own that it made earlier, and that stay as they are when other topics are read.

        Raises TopologyError when records of one key would not meet.
        """
        counts = {topic: count for topic, count in existing.items() if topic not in self._repartitions}
        counts |= {topic: count for topic, count in self._repartitions.items() if count is not None}
        counts |= made or {}
        unknown = [topic for topic in self._repartitions if topic not in counts]
        while unknown:
            sized = {topic: count for topic in unknown if (count := self._count(topic, counts)) is not None}
            if not sized:
                raise TopologyError(
                    f"{self.application}: nothing says how many partitions {', '.join(unknown)} should have"
                )
            counts |= sized
            unknown = [topic for topic in unknown if topic not in counts]
        for sub in self.subtopologies:
            _check_copartitioned(sub, counts)
        return counts

    def tasks(self, counts: Mapping[str, int]) -> list[tuple[SubTopology, int]]:
        """The number of tasks of each sub-topology, given all partition counts."""
        return [(sub, max(counts[topic] for topic in sub.inputs)) for sub in self.subtopologies]

    def _sources(self) -> Iterable[tuple[str, StreamSource | TableSource]]:
        for sub in self.subtopologies:
            yield from sub.sources.items()

    def _count(self, topic: str, counts: Mapping[str, int]) -> int | None:
        """As many partitions as what is read together with a topic; else as what its records come from."""
        beside = [counts[other] for other in self.of_topic[topic].inputs if other in counts]
        if beside:
            return beside[0]
        writers = [sub for sub in self.subtopologies if topic in sub.outputs]
        read = [other for sub in writers for other in sub.inputs]
        return max(counts[other] for other in read) if read and all(other in counts for other in read) else None

    def _check(self) -> None:
        if not any(sub.streams or sub.has_patterns for sub in self.subtopologies):
            raise TopologyError(f"{self.application} reads no stream")
        # Tables are kept under their topics' names.
        names: set[str] = {topic for topic, source in self._sources() if isinstance(source, TableSource)}
        for sub in self.subtopologies:
            # A task notes how far it has folded a topic once, whatever for.
            for topic in sub.journals.keys() & (sub.tables.keys() | sub.flowing_tables.keys()):
                store = sub.journals[topic].decide.store
                raise TopologyError(
                    f"{self.application}: {topic} has the events of {store}, whose decisions look it up as a table; "
                    "they are given their own state, and others can have a table of it"
                )
            journalled = [journal.decide for journal in sub.journals.values()]
            for node in sub.nodes:
                if isinstance(node.operator, Decide) and node.operator not in journalled:
                    raise TopologyError(
                        f"{self.application}: the events of {node.operator.store} go nowhere; route them to topics"
                    )
                for spec in node.operator.stores:
                    if spec.name in names:
                        raise TopologyError(f"{self.application} has two stores called {spec.name}")
                    names.add(spec.name)


def _components(nodes: Sequence[Node]) -> Iterable[list[Node]]:
    """The nodes that are connected with each other, in the order of their first ones."""
    component = {id(node): [node] for node in nodes}
    for node in nodes:
        for other in (*node.parents, *node.reads):
            mine, its = component[id(node)], component[id(other)]
            if mine is not its:
                its += mine
                component |= {id(moved): its for moved in mine}
    order = {id(node): number for number, node in enumerate(nodes)}
    distinct = {id(members): sorted(members, key=lambda node: order[id(node)]) for members in component.values()}
    return sorted(distinct.values(), key=lambda members: order[id(members[0])])


def _changelog_config(retention_ms: int | None) -> dict[str, str]:
    if retention_ms is None:
        return {"cleanup.policy": "compact"}
    return {"cleanup.policy": "compact,delete", "retention.ms": str(retention_ms)}


def _check_copartitioned(sub: SubTopology, counts: Mapping[str, int]) -> None:
    if not sub.stores and not sub.tables and not sub.flowing_tables:
        return
    first, *others = (*sub.inputs, *sub.journals)
    for topic in others:
        if counts[topic] != counts[first]:
            raise TopologyError(
                f"{sub.application}: {first} has {counts[first]} partitions and {topic} has {counts[topic]}; "
                "records of one key meet only where the numbers are equal"
            )
