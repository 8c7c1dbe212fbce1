"""What a connector is: a class that checks a configuration, and tasks that move records.

A task knows its own system and nothing of Kafka: topics, converters, transforms, offsets, retries and dead letters
are the business of `sink` and `source`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from tailrace.connect.config import Key, Settings
from tailrace.connect.record import Offset, Record

ReadOffset: TypeAlias = Callable[[Offset], Offset | None]
"""Gives the offset stored last for a part of the source, None when there is none."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that its destination will never take, and why."""

    record: Record
    error: Exception


class SinkTask(ABC):
    """Writes records to a system; every method is called from one thread."""

    @abstractmethod
    def start(self) -> None:
        """Open what is needed. Raises RetriableError to be called again later."""

    @abstractmethod
    def put(self, records: Sequence[Record]) -> list[Refusal]:
        """Write the records durably, in order, and give those that were refused.

        The same records may come again, after a crash or a RetriableError, which must have written none of them in
        part.
        """

    @abstractmethod
    def stop(self) -> None:
        """Close what is open."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll of a source found.

    `offsets`: the position after these records, as pairs of part and offset. `more`: whether polling again at once
    would find something.
    """

    records: Sequence[Record] = ()
    offsets: Sequence[tuple[Offset, Offset]] = ()
    more: bool = False


class SourceTask(ABC):
    """Reads records from a system; every method is called from one thread."""

    @abstractmethod
    def start(self, read_offset: ReadOffset) -> None:
        """Open what is needed and go to the stored offsets. Raises RetriableError to be called again later."""

    @abstractmethod
    def poll(self) -> Batch:
        """Read what is new, without waiting for it. Raises RetriableError, having moved nowhere."""

    @abstractmethod
    def stop(self) -> None:
        """Close what is open."""


class Connector(ABC):
    """A kind of connector: its keys, and how a configuration becomes tasks."""

    kind: ClassVar[Literal["source", "sink"]]
    version: ClassVar[str] = "0.1.0"
    keys: ClassVar[Sequence[Key]] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def validate(self) -> None:
        """Check what no key can tell alone. Raises ConfigError."""
        return

    @abstractmethod
    def check(self) -> None:
        """Ask the other system once whether it is there. Raises SystemUnreachable."""

    def task_settings(self, tasks_max: int) -> Sequence[Settings]:
        """Share the work between at most so many tasks."""
        return [self.settings] * tasks_max

    @abstractmethod
    def task(self, settings: Settings) -> SinkTask | SourceTask:
        """Make a task of one share of the work; called again when the task is restarted."""


@dataclass(frozen=True, slots=True)
class ConnectorConfig:
    """A connector's configuration after all checks.

    `original`: as it was given. `settings`: every key of the framework and of the connector, parsed. `options`: what
    stands under the open prefixes (`transforms.`, `value.converter.`, `producer.override.`, ...).
    """

    name: str
    original: Mapping[str, str]
    connector: Connector
    settings: Settings
    options: Mapping[str, str] = field(default_factory=dict)
