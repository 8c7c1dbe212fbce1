"""A sub-topology: steps that work together in one task, with the topics and the state that they share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde
from tailrace.streams.code.program import Program
from tailrace.streams.handling import ErrorHandler, OnError
from tailrace.streams.node import Node
from tailrace.streams.operators.decide import Decide
from tailrace.streams.operators.sink import Router, Sink
from tailrace.streams.operators.source import StreamSource, TableSource
from tailrace.streams.state.store import StoreSpec

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True)
class Handling:
    """Who decides about records that go wrong, and where dead letters go."""

    unreadable: ErrorHandler
    failed: ErrorHandler
    dead_letters: str

    @property
    def handlers(self) -> tuple[ErrorHandler, ...]:
        """All who decide."""
        return self.unreadable, self.failed


@dataclass(frozen=True)
class Journal:
    """A topic whose events, folded, are the state of a decision."""

    value: Serde[Any]
    decide: Decide


class SubTopology:
    """Connected steps of an application, in the order in which they were described."""

    def __init__(self, application: str, nodes: Sequence[Node], handling: Handling) -> None:
        self.application = application
        self.nodes = tuple(nodes)
        self.handling = handling
        operators = [node.operator for node in nodes]
        sources = [operator for operator in operators if isinstance(operator, StreamSource)]
        self.streams = {topic: source for source in sources for topic in source.topics}
        self.tables = {operator.topic: operator for operator in operators if isinstance(operator, TableSource)}
        self.stores: dict[str, StoreSpec] = {spec.name: spec for operator in operators for spec in operator.stores}
        self.changelogged = [spec.name for spec in self.stores.values() if spec.changelog]
        sinks = {sink.topic: sink for sink in _sinks(operators) if isinstance(sink.topic, str)}
        self.outputs = frozenset(sinks)
        self.journals = {
            topic: Journal(sink.value, sink.journal_of) for topic, sink in sinks.items() if sink.journal_of is not None
        }

    def changelog(self, store: str) -> str:
        """The topic that keeps the changes of a store."""
        return f"{self.application}-{store}-changelog"

    @property
    def name(self) -> str:
        """The first topic that it reads, which no other sub-topology does."""
        return self.inputs[0]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics that it reads."""
        return (*self.streams, *self.tables)

    @cached_property
    def program(self) -> Program:
        """Its steps as code."""
        sources = [node for node in self.nodes if isinstance(node.operator, StreamSource)]
        recovers = self.handling.failed is not OnError.FAIL
        return Program(f"{self.application} {self.name}", sources, recovers=recovers)

    def folds(self, task: "Task") -> dict[str, tuple[Serde[Any], Callable[[bytes, Any], None]]]:
        """For each journal: how its events are read, and what applies one to a task's state."""
        folds = {journal.decide: journal.decide.fold(task) for journal in self.journals.values()}
        return {topic: (journal.value, folds[journal.decide]) for topic, journal in self.journals.items()}


def _sinks(operators: Iterable[object]) -> Iterable[Sink]:
    for operator in operators:
        if isinstance(operator, Sink):
            yield operator
        elif isinstance(operator, Router):
            yield from operator.sinks.values()
