"""What the audit reads: the records of the topics as values, in the order it needs them."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from agio.contracts.events import (
    Account,
    ExchangeRate,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
    Wallet,
)

Outcome = Transaction | RejectedTransaction
T = TypeVar("T", covariant=True)


class Place(Struct, frozen=True):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    @property
    def where(self) -> str:
        """Topic-partition-offset."""
        return f"{self.topic}-{self.partition}-{self.offset}"


class Entry(Place, Generic[T], frozen=True):
    """A record that could be read."""

    key: str
    value: T


class Unreadable(Place, frozen=True):
    """A record that could not, and why."""

    problem: str


Read = Entry[T] | Unreadable


class PartitionHistory(Struct, frozen=True):
    """One partition of all topics keyed by account; each iterable, in the order of offsets, is read once.

    Deleted records are left out of `wallets`. `answered_to`: earlier ends of the outcome topics, by topic. What was
    decided before an outcome below these ends is visible by now, so a request without outcome before it is missed.
    """

    number: int
    wallets: Iterable[Read[Wallet]]
    requests: Iterable[Read[TransactionRequest]]
    transactions: Iterable[Read[Transaction]]
    rejected: Iterable[Read[RejectedTransaction]]
    answered_to: dict[str, int]


class History(Struct, frozen=True):
    """All topics, read in the order of the fields.

    Deleted records are left out of `accounts`. `dead_letters`: the records that they hold. `rates_end`: end offsets of
    exchange-rates by partition.
    """

    accounts: Iterable[Read[Account]]
    dead_letters: Iterable[RequestReference]
    partitions: Iterable[PartitionHistory]
    rates: Iterable[Read[ExchangeRate]]
    rates_end: dict[int, int]
