"""What a partition knows of its producers: recent sequences, and transactions that are open or were aborted.

Sequences follow Kafka's ProducerAppendInfo: the last five batches of a producer are remembered, so that a batch which
is sent again gets its original offset. Everything here follows from batch headers and is rebuilt from them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec
from kio.schema.errors import ErrorCode

from tailrace.wire.record_batch import NO_SEQUENCE, BatchHeader, ControlType, add_sequence

REMEMBERED_BATCHES = 5


class SentBatch(msgspec.Struct, array_like=True, frozen=True):
    """Sequences and base offset of a batch that a producer sent."""

    first_sequence: int
    last_sequence: int
    base_offset: int


class Producer(msgspec.Struct, array_like=True):
    """The state of one producer id in one partition; `first_offset` is its open transaction's, if there is one."""

    producer_id: int
    epoch: int
    recent: list[SentBatch] = []
    first_offset: int | None = None
    last_timestamp: int = -1
    coordinator_epoch: int = -1
    last_offset: int = -1


class AbortedTransaction(msgspec.Struct, array_like=True, frozen=True):
    """Offsets of an aborted transaction in this partition: its first record and its marker.

    Transactions that ended later begin at `later_from` or behind it.
    """

    producer_id: int
    first_offset: int
    marker_offset: int
    later_from: int = 0


class Duplicate(msgspec.Struct, frozen=True):
    """The batch is stored already."""

    base_offset: int


class IdleMark(msgspec.Struct, array_like=True, frozen=True):
    """The end of the log at a time: a producer with nothing behind it has been idle since then."""

    time_ms: int
    offset: int


class ProducersSnapshot(msgspec.Struct, array_like=True):
    """All of `Producers` that a checkpoint stores."""

    producers: list[Producer] = []
    aborted: list[AbortedTransaction] = []
    idle_mark: IdleMark | None = None


class Producers:
    """Sequences and transactions of one partition."""

    def __init__(self, snapshot: ProducersSnapshot | None = None) -> None:
        snapshot = snapshot or ProducersSnapshot()
        self.by_id = {producer.producer_id: producer for producer in snapshot.producers}
        self.aborted = snapshot.aborted
        self._idle_mark = snapshot.idle_mark
        # First offsets of open transactions by producer id, in the order in which they began.
        begun = ((p.first_offset, p.producer_id) for p in snapshot.producers if p.first_offset is not None)
        self._open = {producer_id: first_offset for first_offset, producer_id in sorted(begun)}
        # Transactions whose marker is appended but not durable yet, as (first offset, marker offset).
        self._being_decided: deque[tuple[int, int]] = deque()

    def snapshot(self) -> ProducersSnapshot:
        """Everything, as a checkpoint stores it."""
        return ProducersSnapshot(list(self.by_id.values()), self.aborted, self._idle_mark)

    def decide(self, header: BatchHeader) -> ErrorCode | Duplicate | None:
        """Whether a batch may be appended: None, why not, or that it was before."""
        producer = self.by_id.get(header.producer_id)
        if producer is None:
            return None
        if header.producer_epoch < producer.epoch:
            return ErrorCode.invalid_producer_epoch
        if header.producer_epoch > producer.epoch:
            return None if header.base_sequence == 0 else ErrorCode.out_of_order_sequence_number
        for sent in producer.recent:
            if sent.first_sequence == header.base_sequence and sent.last_sequence == header.last_sequence:
                return Duplicate(sent.base_offset)
        last_sequence = producer.recent[-1].last_sequence if producer.recent else NO_SEQUENCE
        if header.base_sequence != add_sequence(last_sequence, 1):
            return ErrorCode.out_of_order_sequence_number
        if producer.first_offset is not None and not header.is_transactional:
            return ErrorCode.invalid_txn_state
        return None

    def evolve(self, header: BatchHeader, base_offset: int, marker: ControlType | None) -> None:
        """Take in an appended batch; `marker` is what it says when it is a control batch."""
        producer = self.by_id.get(header.producer_id)
        if producer is None:
            producer = self.by_id[header.producer_id] = Producer(header.producer_id, header.producer_epoch, [])
        if header.producer_epoch > producer.epoch:
            producer.epoch = header.producer_epoch
            producer.recent = []
        producer.last_timestamp = header.max_timestamp
        producer.last_offset = base_offset
        if marker is not None:
            self._end_transaction(producer, base_offset, marker)
            return
        sent = SentBatch(header.base_sequence, header.last_sequence, base_offset)
        producer.recent = [*producer.recent[-REMEMBERED_BATCHES + 1 :], sent]
        if header.is_transactional and producer.first_offset is None:
            producer.first_offset = self._open[producer.producer_id] = base_offset

    def _end_transaction(self, producer: Producer, marker_offset: int, marker: ControlType) -> None:
        first_offset, producer.first_offset = producer.first_offset, None
        if first_offset is None:
            return
        del self._open[producer.producer_id]
        self._being_decided.append((first_offset, marker_offset))
        if marker is ControlType.ABORT:
            later_from = next(iter(self._open.values()), marker_offset + 1)
            self.aborted.append(AbortedTransaction(producer.producer_id, first_offset, marker_offset, later_from))

    def settle(self, high_watermark: int) -> None:
        """Forget the open ends of transactions whose markers are durable now."""
        while self._being_decided and self._being_decided[0][1] < high_watermark:
            self._being_decided.popleft()

    def first_undecided_offset(self) -> int | None:
        """First offset of a transaction that is open, or whose end could still be lost in a crash."""
        if not self._open and not self._being_decided:
            return None
        offsets = [first for first, _ in self._being_decided]
        offsets += islice(self._open.values(), 1)
        return min(offsets, default=None)

    def aborted_between(self, start: int, end: int) -> list[AbortedTransaction]:
        """Aborted transactions with records or marker in offsets `start` to `end`, exclusive."""
        first = bisect_left(self.aborted, start, key=lambda transaction: transaction.marker_offset)
        found = []
        for number in range(first, len(self.aborted)):
            transaction = self.aborted[number]
            if transaction.first_offset < end:
                found.append(transaction)
            if transaction.later_from >= end:
                break
        return found

    def forget_before(self, log_start_offset: int) -> None:
        """Drop aborted transactions that ended before the log starts."""
        first = bisect_left(self.aborted, log_start_offset, key=lambda transaction: transaction.marker_offset)
        del self.aborted[:first]

    def forget(self, transactions: Iterable[AbortedTransaction]) -> None:
        """Drop aborted transactions of which nothing is left in the log, not even the marker."""
        gone = set(transactions)
        self.aborted = [transaction for transaction in self.aborted if transaction not in gone]

    def forget_idle(self, now_ms: int, idle_ms: int, end: int) -> int:
        """Forget producers that have appended nothing for `idle_ms`, and for twice that at most; gives how many.

        By the broker's time, since that in the records is the producers' own. `end` is the present end of the log.
        Nothing of this needs to be in the journal: a producer that a restart brings back is forgotten again.
        """
        mark = self._idle_mark
        if mark is not None and now_ms - mark.time_ms < idle_ms:
            return 0
        self._idle_mark = IdleMark(now_ms, end)
        idle = [] if mark is None else [each for each in self.by_id.values() if _is_idle(each, mark)]
        for producer in idle:
            del self.by_id[producer.producer_id]
        return len(idle)


def _is_idle(producer: Producer, mark: IdleMark) -> bool:
    return producer.last_offset < mark.offset and producer.first_offset is None
