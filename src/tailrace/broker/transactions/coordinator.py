"""The transaction coordinator: producer ids, and the beginning and end of transactions.

The end of a transaction is one frame: the markers for its partitions, its offsets, its new state. That takes one fsync,
and no state between "ongoing" and "ended" exists, so Kafka's PrepareCommit and CONCURRENT_TRANSACTIONS have no use.

AddPartitionsToTxn and AddOffsetsToTxn are answered before they are durable. Frames become durable in order, so records,
offsets and ends (all answered when durable) have the additions before them, and a crash can undo an addition only
together with everything that was to depend on it. The producer does not know: it goes on as if the addition were there.
So until a producer ends its first transaction after a restart (`Transaction.may_lack_additions`), a missing addition is
made up for: its records and offsets are let in, and an end of what has neither succeeds. This cannot let in anything
late: the connections of before the crash are gone, and whatever a present producer sends belongs to its present
transaction, since it ends one only when everything in it is answered.

Requests on a connection that is not the newest one of its transactional id are not answered, and the connection is
closed: a client that lost a connection sends its request again on a new one, and a late copy on the old one must not
end the transaction that follows, or put old offsets into it. (Kafka has solved this in KIP-890's second part, for which
a client must ask; librdkafka does not.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog
from kio.schema.errors import ErrorCode

from tailrace.broker.append import Append
from tailrace.broker.events import (
    AnyEvent,
    GroupAddedToTransaction,
    OffsetRow,
    OffsetsPending,
    PartitionsAddedToTransaction,
    ProducerIdAllocated,
    ProducerInitialized,
    TransactionEnded,
)
from tailrace.broker.transactions.state import RequestKind, Transaction, Transactions, TransactionState
from tailrace.wire.record_batch import ControlType, control_batch

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

log = structlog.get_logger()

MAX_EPOCH = 2**15 - 2  # the last epoch is kept for fencing


class ProducerIdentity(NamedTuple):
    """What a producer signs its batches with."""

    producer_id: int
    producer_epoch: int


NOBODY = ProducerIdentity(-1, -1)


class TransactionCoordinator:
    """Decides requests of transactional producers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def _transactions(self) -> Transactions:
        return self._broker.state.transactions

    def allocate_producer_id(self) -> ProducerIdentity:
        """An identity for a producer that is idempotent but not transactional."""
        identity = ProducerIdentity(self._broker.state.next_producer_id, 0)
        self._broker.record(events=[ProducerIdAllocated(identity.producer_id)])
        return identity

    def initialize(
        self, transactional_id: str, timeout_ms: int, claimed: ProducerIdentity
    ) -> ProducerIdentity | ErrorCode:
        """Give a transactional id a new epoch, aborting what it left open.

        `claimed` is what the producer had before, `NOBODY` for a new one (KIP-360).
        """
        if not transactional_id:
            return ErrorCode.invalid_request
        if not 0 < timeout_ms <= self._broker.config.transaction_max_timeout_ms:
            return ErrorCode.invalid_transaction_timeout
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            identity = ProducerIdentity(self._broker.state.next_producer_id, 0)
            self._record_initialized(transactional_id, timeout_ms, identity, NOBODY)
        else:
            present = ProducerIdentity(transaction.producer_id, transaction.producer_epoch)
            previous = ProducerIdentity(transaction.previous_producer_id, transaction.previous_producer_epoch)
            if claimed != NOBODY and claimed not in (present, previous):
                return ErrorCode.producer_fenced
            if claimed == previous != NOBODY:
                return present  # an answer that got lost is given again
            identity = self._next_identity(present)
            if transaction.is_ongoing:
                self._abort_and_fence(transaction)
            self._record_initialized(transactional_id, timeout_ms, identity, present if claimed != NOBODY else NOBODY)
        return identity

    def _next_identity(self, present: ProducerIdentity) -> ProducerIdentity:
        if present.producer_epoch < MAX_EPOCH:
            return present._replace(producer_epoch=present.producer_epoch + 1)
        return ProducerIdentity(self._broker.state.next_producer_id, 0)

    def _record_initialized(
        self, transactional_id: str, timeout_ms: int, identity: ProducerIdentity, previous: ProducerIdentity
    ) -> None:
        event = ProducerInitialized(transactional_id, *identity, timeout_ms, *previous, self._broker.now_ms())
        self._broker.record(events=[event])

    def add_partitions(
        self,
        transactional_id: str,
        producer: ProducerIdentity,
        partitions: list[tuple[bytes, int]],
    ) -> ErrorCode:
        """Let the transaction write to partitions, beginning it with the first ones."""
        transaction = self._find(transactional_id, producer)
        if isinstance(transaction, ErrorCode):
            return transaction
        if not transaction.is_ongoing or not transaction.partitions.issuperset(partitions):
            self._record(PartitionsAddedToTransaction(transactional_id, partitions, self._broker.now_ms()))
        return ErrorCode.none

    def add_group(self, transactional_id: str, producer: ProducerIdentity, group_id: str) -> ErrorCode:
        """Let the transaction commit offsets of a group."""
        transaction = self._find(transactional_id, producer)
        if isinstance(transaction, ErrorCode):
            return transaction
        if not transaction.is_ongoing or group_id not in transaction.groups:
            self._record(GroupAddedToTransaction(transactional_id, group_id, self._broker.now_ms()))
        return ErrorCode.none

    def admit_offsets(self, transactional_id: str, producer: ProducerIdentity, group_id: str) -> ErrorCode:
        """Whether the transaction may commit offsets of a group (KIP-890, part 1)."""
        transaction = self._find(transactional_id, producer)
        if isinstance(transaction, ErrorCode):
            return transaction
        if not transaction.is_ongoing or group_id not in transaction.groups:
            if not transaction.may_lack_additions:
                return ErrorCode.invalid_txn_state
            self._record(GroupAddedToTransaction(transactional_id, group_id, self._broker.now_ms()))
        return ErrorCode.none

    def hold_offsets(self, producer: ProducerIdentity, group_id: str, offsets: list[OffsetRow]) -> None:
        """Keep offsets that were admitted, until the group commits them with the transaction."""
        self._record(OffsetsPending(producer.producer_id, group_id, offsets))

    def is_outdated(
        self, transactional_id: str, producer: ProducerIdentity, kind: RequestKind, connection: int
    ) -> bool:
        """Whether the present producer has sent requests of that kind on a newer connection already."""
        transaction = self._find(transactional_id, producer)
        return isinstance(transaction, Transaction) and transaction.is_outdated(kind, connection)

    def end(self, transactional_id: str, producer: ProducerIdentity, *, committed: bool) -> ErrorCode:
        """Commit or abort; once more the same is answered as the first time."""
        transaction = self._find(transactional_id, producer)
        if isinstance(transaction, ErrorCode):
            return transaction
        wanted = TransactionState.COMPLETE_COMMIT if committed else TransactionState.COMPLETE_ABORT
        if transaction.state is wanted:
            return ErrorCode.none
        if not transaction.is_ongoing:
            return ErrorCode.none if transaction.may_lack_additions else ErrorCode.invalid_txn_state
        self._end(transaction, transaction.producer_epoch, committed=committed)
        return ErrorCode.none

    def admit_produce(self, producer: ProducerIdentity, topic_id: bytes, partition: int) -> ErrorCode:
        """Whether a transactional batch may be appended to a partition (KIP-890, part 1)."""
        transaction = self._transactions.of_producer(producer.producer_id)
        if transaction is None:
            return ErrorCode.invalid_producer_id_mapping
        if producer.producer_epoch != transaction.producer_epoch:
            return ErrorCode.invalid_producer_epoch
        if not transaction.is_ongoing or (topic_id, partition) not in transaction.partitions:
            if not transaction.may_lack_additions:
                return ErrorCode.invalid_txn_state
            added = [(topic_id, partition)]
            self._record(PartitionsAddedToTransaction(transaction.transactional_id, added, self._broker.now_ms()))
        return ErrorCode.none

    def abort_overdue(self) -> None:
        """Abort transactions that are open for longer than their timeout, and fence their producers."""
        for transaction in self._transactions.overdue(self._broker.now_ms()):
            log.warning(
                "transaction timed out",
                transactional_id=transaction.transactional_id,
                producer_id=transaction.producer_id,
                timeout_ms=transaction.timeout_ms,
            )
            self._abort_and_fence(transaction)

    def _find(self, transactional_id: str, producer: ProducerIdentity) -> Transaction | ErrorCode:
        if not transactional_id:
            return ErrorCode.invalid_request
        transaction: Transaction | None = self._transactions.get(transactional_id)
        if transaction is None or transaction.producer_id != producer.producer_id:
            return ErrorCode.invalid_producer_id_mapping
        if transaction.producer_epoch != producer.producer_epoch:
            return ErrorCode.producer_fenced
        return transaction

    def _abort_and_fence(self, transaction: Transaction) -> None:
        """Abort with the next epoch, so that nothing of the old one is accepted any more."""
        self._end(transaction, transaction.producer_epoch + 1, committed=False)

    def _end(self, transaction: Transaction, epoch: int, *, committed: bool) -> None:
        ended = TransactionEnded(transaction.transactional_id, transaction.producer_id, epoch, committed)
        self._broker.record(self._markers(transaction, epoch, committed=committed), [ended])

    def _markers(self, transaction: Transaction, epoch: int, *, committed: bool) -> list[Append]:
        """A marker for each partition that has records of the transaction."""
        marker = control_batch(
            ControlType.COMMIT if committed else ControlType.ABORT,
            transaction.producer_id,
            epoch,
            self._broker.now_ms(),
        )
        markers = []
        for topic_id, partition in sorted(transaction.partitions):
            topic = self._broker.state.topics.by_id(topic_id)
            if topic is None:
                continue
            producer = topic.partitions[partition].producers.by_id.get(transaction.producer_id)
            if producer is not None and producer.first_offset is not None:
                markers.append(Append(topic, partition, marker))
        return markers

    def _record(self, event: AnyEvent) -> None:
        self._broker.record(events=[event])
