"""What clients know of what they did: the memory that a recovered broker is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class Ending(Enum):
    """How far a transaction has come, as its producer knows."""

    OPEN = auto()
    COMMITTING = auto()
    COMMITTED = auto()
    ABORTING = auto()
    ABORTED = auto()


@dataclass(eq=False)
class SentTransaction:
    """One transaction; it also commits the offset `number` for the group of its producer, if it is `with_offset`."""

    transactional_id: str
    number: int
    with_offset: bool = False
    ending: Ending = Ending.OPEN
    is_begun: bool = False
    """Whether the broker acknowledged anything of it that lasts."""


@dataclass(eq=False)
class SentBatch:
    """A batch of records; each value names it. `base_offset` is known when it was acknowledged."""

    topic: str
    partition: int
    key: bytes
    values: tuple[bytes, ...]
    transaction: SentTransaction | None
    base_offset: int | None = None


@dataclass
class Ledger:
    """Everything that was sent, and what was answered."""

    topics: dict[str, int] = field(default_factory=dict)
    """Partitions of topics whose creation was acknowledged."""

    batches: list[SentBatch] = field(default_factory=list)
    transactions: list[SentTransaction] = field(default_factory=list)
    served: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    """Values that somebody read, by topic, partition and offset."""

    def by_value(self) -> dict[bytes, SentBatch]:
        """The batches by each of their values."""
        return {value: batch for batch in self.batches for value in batch.values}
