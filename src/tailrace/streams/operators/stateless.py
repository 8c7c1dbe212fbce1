"""Filter and map: steps that look at one record only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.streams.record import Process, Record

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True, eq=False)
class Filter:
    """Passes on the values for which `predicate` holds."""

    predicate: Callable[[Any], bool]

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        predicate = self.predicate

        def process(key: str, value: Any, record: Record) -> None:
            if predicate(value):
                forward(key, value, record)

        return process

    def describe(self) -> str:
        """See Operator."""
        return f"filter {self.predicate.__qualname__}"


@dataclass(frozen=True, eq=False)
class MapValues:
    """Passes on `mapper(value)`; the key stays."""

    mapper: Callable[[Any], Any]

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        mapper = self.mapper

        def process(key: str, value: Any, record: Record) -> None:
            forward(key, mapper(value), record)

        return process

    def describe(self) -> str:
        """See Operator."""
        return f"map values {self.mapper.__qualname__}"


@dataclass(frozen=True, eq=False)
class Merge:
    """Passes on what comes from several streams."""

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        return forward

    def describe(self) -> str:
        """See Operator."""
        return "merge"
