"""Transactional ids and what their transactions touch.

There is no PrepareCommit here: markers, offsets and the end of a transaction are one frame of the journal, so a
transaction is ongoing or ended and never in between, not even after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, StrEnum, auto

from tailrace.broker.checkpoint import TransactionSnapshot
from tailrace.broker.events import (
    GroupAddedToTransaction,
    PartitionsAddedToTransaction,
    ProducerInitialized,
    TransactionalIdForgotten,
    TransactionEnded,
)


class TransactionState(StrEnum):
    """The states of Kafka that exist here, by its names."""

    EMPTY = "Empty"
    ONGOING = "Ongoing"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"


class RequestKind(Enum):
    """Requests that a client sends on one connection; librdkafka has one for each kind."""

    TRANSACTION = auto()
    OFFSETS = auto()


class Transaction:
    """One transactional id with its present or last transaction."""

    def __init__(self, snapshot: TransactionSnapshot) -> None:
        self.transactional_id = snapshot.transactional_id
        self.producer_id = snapshot.producer_id
        self.producer_epoch = snapshot.producer_epoch
        self.timeout_ms = snapshot.timeout_ms
        self.previous_producer_id = snapshot.previous_producer_id
        self.previous_producer_epoch = snapshot.previous_producer_epoch
        self.state = TransactionState(snapshot.state)
        self.started_ms = snapshot.started_ms
        self.partitions = set(snapshot.partitions)
        self.groups = set(snapshot.groups)
        self.initialized_ms = snapshot.initialized_ms
        # Whether a crash may have undone additions to the present transaction; see the coordinator.
        self.may_lack_additions = False
        # The newest connection that spoke for this id, by kind of request; known only while the broker runs.
        self._newest_connections: dict[RequestKind, int] = {}

    def snapshot(self) -> TransactionSnapshot:
        """What a checkpoint stores."""
        return TransactionSnapshot(
            self.transactional_id,
            self.producer_id,
            self.producer_epoch,
            self.timeout_ms,
            self.previous_producer_id,
            self.previous_producer_epoch,
            self.state,
            self.started_ms,
            sorted(self.partitions),
            sorted(self.groups),
            self.initialized_ms,
        )

    def is_outdated(self, kind: RequestKind, connection: int) -> bool:
        """Whether a newer connection has sent requests of that kind; if not, this one is the newest from now on."""
        newest = self._newest_connections.get(kind, 0)
        self._newest_connections[kind] = max(newest, connection)
        return connection < newest

    def forget_connections(self) -> None:
        """Begin anew with another producer, which has connections of its own."""
        self._newest_connections.clear()

    @property
    def is_ongoing(self) -> bool:
        """Whether a transaction is open."""
        return self.state is TransactionState.ONGOING

    def begin(self, started_ms: int) -> None:
        """Open a transaction unless one is open."""
        if not self.is_ongoing:
            self.state = TransactionState.ONGOING
            self.started_ms = started_ms
            self.partitions.clear()
            self.groups.clear()


class Transactions:
    """All transactional ids, also by producer id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Transaction] = {}
        self._by_producer_id: dict[int, Transaction] = {}

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._by_id.values())

    def get(self, transactional_id: str) -> Transaction | None:
        """The state of a transactional id, None when it was never initialized."""
        return self._by_id.get(transactional_id)

    def of_producer(self, producer_id: int) -> Transaction | None:
        """The state by producer id, None for producers without a transactional id."""
        return self._by_producer_id.get(producer_id)

    def load(self, snapshot: TransactionSnapshot) -> Transaction:
        """Take in what a checkpoint stored."""
        transaction = Transaction(snapshot)
        self._by_id[transaction.transactional_id] = transaction
        self._by_producer_id[transaction.producer_id] = transaction
        return transaction

    def initialize(self, event: ProducerInitialized) -> None:
        """A transactional id got a producer id and epoch."""
        transaction = self._by_id.get(event.transactional_id)
        if transaction is None:
            new = TransactionSnapshot(event.transactional_id, -1, -1, 0, -1, -1, TransactionState.EMPTY, -1, [], [])
            transaction = self.load(new)
        self._by_producer_id.pop(transaction.producer_id, None)
        transaction.producer_id = event.producer_id
        transaction.producer_epoch = event.producer_epoch
        transaction.timeout_ms = event.timeout_ms
        transaction.previous_producer_id = event.previous_producer_id
        transaction.previous_producer_epoch = event.previous_producer_epoch
        transaction.state = TransactionState.EMPTY
        transaction.initialized_ms = event.initialized_ms
        transaction.may_lack_additions = False
        transaction.forget_connections()
        transaction.partitions.clear()
        transaction.groups.clear()
        self._by_producer_id[event.producer_id] = transaction

    def add_partitions(self, event: PartitionsAddedToTransaction) -> None:
        """A transaction may write to more partitions."""
        transaction = self._by_id[event.transactional_id]
        transaction.begin(event.started_ms)
        transaction.partitions.update(event.partitions)

    def add_group(self, event: GroupAddedToTransaction) -> None:
        """A transaction may commit offsets of one more group."""
        transaction = self._by_id[event.transactional_id]
        transaction.begin(event.started_ms)
        transaction.groups.add(event.group_id)

    def end(self, event: TransactionEnded) -> None:
        """A transaction was committed or aborted."""
        transaction = self._by_id[event.transactional_id]
        ended = TransactionState.COMPLETE_COMMIT if event.committed else TransactionState.COMPLETE_ABORT
        transaction.state = ended
        transaction.may_lack_additions = False
        if transaction.producer_epoch != event.producer_epoch:
            transaction.producer_epoch = event.producer_epoch
            transaction.previous_producer_id = transaction.previous_producer_epoch = -1
        transaction.partitions.clear()
        transaction.groups.clear()

    def forget(self, event: TransactionalIdForgotten) -> None:
        """Nothing is known of a transactional id any more."""
        transaction = self._by_id.pop(event.transactional_id)
        del self._by_producer_id[transaction.producer_id]

    def unused(self, since_ms: int) -> list[Transaction]:
        """Those without an open transaction that neither began one nor were initialized since then."""
        return [t for t in self if not t.is_ongoing and max(t.started_ms, t.initialized_ms) < since_ms]

    def overdue(self, now_ms: int) -> list[Transaction]:
        """Open transactions whose timeout has passed."""
        return [t for t in self if t.is_ongoing and now_ms - t.started_ms > t.timeout_ms]
