"""A sub-topology: steps that work together in one task, with the topics and the state that they share."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import quote

from tailrace.registry.serde import Serde
from tailrace.streams.code.program import Program
from tailrace.streams.handling import ErrorHandler, OnError
from tailrace.streams.node import Node, Operator
from tailrace.streams.operators.decide import Decide
from tailrace.streams.operators.join_streams import JoinStreamSide
from tailrace.streams.operators.process import Process
from tailrace.streams.operators.sink import Router, Sink
from tailrace.streams.operators.source import StreamSource, TableSource
from tailrace.streams.patterns import Matches
from tailrace.streams.state.divided_backend import InMemory
from tailrace.streams.state.store import StoreSpec

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True)
class Handling:
    """Who decides about records that go wrong, and where dead letters go."""

    unreadable: ErrorHandler
    failed: ErrorHandler
    unwritable: ErrorHandler
    dead_letters: str

    @property
    def handlers(self) -> tuple[ErrorHandler, ...]:
        """All who decide."""
        return self.unreadable, self.failed, self.unwritable


@dataclass(frozen=True)
class Journal:
    """A topic whose events, folded, are the state of a decision."""

    value: Serde[Any]
    decide: Decide


class SubTopology:
    """Connected steps of an application, in the order in which they were described.

    `matches`: the topics that its patterns mean at present. `counts_steps`: whether each step counts its records.
    """

    def __init__(
        self,
        application: str,
        nodes: Sequence[Node],
        handling: Handling,
        matches: Matches,
        *,
        counts_steps: bool = False,
    ) -> None:
        self.application = application
        self._matches = matches
        self.nodes = tuple(nodes)
        self.handling = handling
        # The steps whose records are counted one by one.
        self.counted = self.nodes if counts_steps else ()
        operators = [node.operator for node in nodes]
        self._sources = [node for node in nodes if isinstance(node.operator, StreamSource) or _flows(node, nodes)]
        self.tables = {
            node.operator.topic: node.operator
            for node in nodes
            if isinstance(node.operator, TableSource) and node not in self._sources
        }
        self.stores: dict[str, StoreSpec] = {spec.name: spec for operator in operators for spec in operator.stores}
        self.changelogged = [spec.name for spec in self.stores.values() if spec.changelog]
        sinks = {sink.topic: sink for sink in _sinks(operators) if isinstance(sink.topic, str)}
        self.outputs = frozenset(sinks)
        self.chooses_topics = any(not isinstance(sink.topic, str) for sink in _sinks(operators))
        self.journals = {
            topic: Journal(sink.value, sink.journal_of) for topic, sink in sinks.items() if sink.journal_of is not None
        }

    def in_memory(self, names: Collection[str]) -> InMemory:
        """What is in memory where the stores and tables of these names are.

        With one store of a step, or of a processor's, go those that make it up: their topics are read together.
        """
        groups = (group for node in self.nodes for group in _stores_apart(node.operator))
        stores = {name for group in groups if not group.isdisjoint(names) for name in group}
        tables = (self.tables | self.flowing_tables).keys() & names
        journals = {topic for topic, journal in self.journals.items() if journal.decide.store in stores}
        changelogs = {self.changelog(name) for name in self.changelogged if name in stores}
        return InMemory(frozenset(stores | tables), frozenset(tables | journals | changelogs))

    def changelog(self, store: str) -> str:
        """The topic that keeps the changes of a store."""
        return changelog_of(self.application, store)

    @cached_property
    def streams(self) -> dict[str, StreamSource | TableSource]:
        """The topics whose records are processed: streams, and tables whose changes flow on or that are joined."""
        return {
            topic: node.operator
            for node in self._sources
            if _is_source(node.operator)
            for topic in self._topics_of(node.operator)
        }

    @cached_property
    def flowing_tables(self) -> dict[str, TableSource]:
        """Those of the topics processed that are tables."""
        return {topic: source for topic, source in self.streams.items() if isinstance(source, TableSource)}

    @cached_property
    def timed_topics(self) -> tuple[str, ...]:
        """The topics whose records are processed in order of time, tables first."""
        return (*self.flowing_tables, *(topic for topic in self.streams if topic not in self.flowing_tables))

    @cached_property
    def is_timed(self) -> bool:
        """Whether records of several topics meet, so that their order among each other matters."""
        meet = bool(self.flowing_tables) or any(isinstance(node.operator, JoinStreamSide) for node in self.nodes)
        return meet and (len(self.streams) > 1 or self.has_patterns)

    @property
    def has_patterns(self) -> bool:
        """Whether further topics may come."""
        return any(_is_source(node.operator) and node.operator.pattern is not None for node in self._sources)

    @cached_property
    def name(self) -> str:
        """The first topic that it reads, which no other sub-topology does, or the pattern; fit for a folder's name."""
        sources = [node.operator for node in self._sources] or [*self.tables.values()]
        return quote(next(source.names[0] for source in sources if _is_source(source)), safe="")

    @property
    def sources(self) -> dict[str, StreamSource | TableSource]:
        """How the topics are read that it reads."""
        return {**self.streams, **self.tables}

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics that it reads."""
        return (*self.streams, *self.tables)

    @cached_property
    def program(self) -> Program:
        """Its steps as code."""
        handling = self.handling
        return Program(
            f"{self.application} {self.name}",
            [(node, self._topics_of(node.operator)) for node in self._sources if _is_source(node.operator)],
            recovers=handling.failed is not OnError.FAIL,
            # Where neither is handled, whatever is raised stops the application.
            guards_writes=handling.failed is not OnError.FAIL or handling.unwritable is not OnError.FAIL,
            counted=self.counted,
        )

    def _topics_of(self, source: StreamSource | TableSource) -> tuple[str, ...]:
        return source.topics if source.pattern is None else self._matches[source.pattern]

    def folds(self, task: "Task") -> dict[str, tuple[Serde[Any], Callable[[bytes, Any], None]]]:
        """For each journal: how its events are read, and what applies one to a task's state."""
        folds = {journal.decide: journal.decide.fold(task) for journal in self.journals.values()}
        return {topic: (journal.value, folds[journal.decide]) for topic, journal in self.journals.items()}


def _stores_apart(operator: Operator) -> list[set[str]]:
    """The names of the stores of a step, those together that make up one for whoever asks."""
    apart = [builder.specs for builder in operator.builders] if isinstance(operator, Process) else [operator.stores]
    return [{spec.name for spec in specs} for specs in apart]


def changelog_of(application: str, store: str) -> str:
    """The topic that keeps the changes of a store of an application."""
    return f"{application}-{store}-changelog"


def _is_source(operator: object) -> TypeGuard[StreamSource | TableSource]:
    return isinstance(operator, StreamSource | TableSource)


def _flows(node: Node, nodes: Sequence[Node]) -> bool:
    """Whether a table is more than looked up by decisions."""
    if not isinstance(node.operator, TableSource):
        return False
    return bool(node.children) or any(node in n.reads and not isinstance(n.operator, Decide) for n in nodes)


def _sinks(operators: Iterable[object]) -> Iterable[Sink]:
    for operator in operators:
        if isinstance(operator, Sink):
            yield operator
        elif isinstance(operator, Router):
            yield from operator.sinks.values()
