"""Compaction of closed segments: of each key the latest record is kept (Kafka's LogCleaner, KIP-58 and KIP-534).

New segments are written beside the old ones, which are not touched. What stays, in the order of the log:

- of committed records those with the latest offset of their key; records without key go;
- a tombstone, which is a record without value, until its delete horizon: `delete.retention.ms` after the first cleaning
  that met it. The horizon takes the place of its batch's base timestamp;
- nothing of an aborted transaction, except its marker;
- a marker as long as there are records of its transaction, and then until its delete horizon, so that whoever is
  reading the transaction at that time sees its end;
- batches that cannot be opened, as they are.

Batches keep their offsets, so the log has gaps, as on Kafka. Sequences of producers are in checkpoints; no batch is
kept for their sake.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import structlog

from tailrace.broker.disk import Disk
from tailrace.broker.log.producers import AbortedTransaction
from tailrace.broker.log.segment import Segment
from tailrace.wire.record_batch import (
    BatchHeader,
    ControlType,
    CorruptBatch,
    control_type,
    open_records,
    parse_header,
)
from tailrace.wire.record_span import RecordSpan, keep_records, scan_records

KEY_BYTES_MAX = 128 << 20
ENTRY_BYTES = 130  # what a key's entry takes beside the key
WRITE_BYTES = 1 << 20

log = structlog.get_logger()


class CleaningPlan(NamedTuple):
    """What is to be cleaned: the first segments of a log, which nobody writes to any more."""

    disk: Disk
    directory: str
    segments: list[Segment]
    end: int
    """Offset at which they end, exclusive."""

    cleaned_until: int
    aborted: list[AbortedTransaction]
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int


class Cleaned(NamedTuple):
    """What came of a plan; the new segments are durable."""

    segments: list[Segment]
    cleaned_until: int
    forgotten: list[AbortedTransaction]
    """Transactions whose markers are gone."""


def clean(plan: CleaningPlan, pace: Callable[[], None] = lambda: None) -> Cleaned:
    """Write the segments anew; `pace` is called after each batch, to wait or to raise."""
    aborted = AbortedIndex(plan.aborted)
    latest, cleaned_until = _latest_offsets(plan, aborted, pace)
    batches = BatchFilter(latest, cleaned_until, aborted, plan.now_ms, plan.delete_retention_ms)
    segments = []
    for group in group_segments(plan.segments, plan.segment_bytes):
        segment = _rewrite(plan, group, batches, pace)
        if segment.size:
            segment.sync(segment.index.take_unstored())
            segments.append(segment)
    return Cleaned(segments, cleaned_until, batches.forgotten)


class AbortedIndex:
    """Which batches belong to aborted transactions."""

    def __init__(self, transactions: Sequence[AbortedTransaction]) -> None:
        self._by_producer: defaultdict[int, list[AbortedTransaction]] = defaultdict(list)
        for transaction in sorted(transactions, key=lambda each: each.first_offset):
            self._by_producer[transaction.producer_id].append(transaction)

    def of_batch(self, header: BatchHeader) -> AbortedTransaction | None:
        """The aborted transaction that a batch, data or marker, is part of."""
        transactions = self._by_producer.get(header.producer_id, [])
        number = bisect_right(transactions, header.base_offset, key=lambda each: each.first_offset)
        if number and header.base_offset <= transactions[number - 1].marker_offset:
            return transactions[number - 1]
        return None


def group_segments(segments: Sequence[Segment], segment_bytes: int) -> Iterator[list[Segment]]:
    """Neighbours that fit into one segment together, by what they hold now."""
    group: list[Segment] = []
    for segment in segments:
        if group and sum(each.size for each in group) + segment.size > segment_bytes:
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _latest_offsets(
    plan: CleaningPlan, aborted: AbortedIndex, pace: Callable[[], None]
) -> tuple[dict[bytes, int], int]:
    """The latest offset of each key that was written since the last cleaning, and up to where that was looked at.

    That is the end unless there are too many keys for the memory; the rest is for another time.
    """
    latest: dict[bytes, int] = {}
    key_bytes = 0
    for header, data in _batches(plan.segments, plan.cleaned_until):
        if header.is_control or aborted.of_batch(header) is not None:
            continue
        for span in _scan(header, data)[1]:
            if span.key is not None:
                if span.key not in latest:
                    key_bytes += len(span.key) + ENTRY_BYTES
                latest[span.key] = span.offset
        if key_bytes > KEY_BYTES_MAX:
            return latest, header.last_offset + 1
        pace()
    return latest, plan.end


def _batches(segments: Sequence[Segment], start: int = 0) -> Iterator[tuple[BatchHeader, bytes]]:
    """The batches of segments that end at `start` or later."""
    for segment in segments:
        for position, header in segment.headers(segment.index.at_or_before(start).position, segment.size):
            if header.last_offset >= start:
                yield header, segment.file.read(header.size, position)


def _scan(header: BatchHeader, data: bytes) -> tuple[bytes | memoryview, list[RecordSpan]]:
    """The records of a batch; none of one that cannot be opened."""
    try:
        body = open_records(data, header)
        return body, scan_records(body, header)
    except CorruptBatch as error:
        log.warning("a batch stays as it is, since it cannot be opened", offset=header.base_offset, reason=str(error))
        return b"", []


class BatchFilter:
    """Decides what is kept of one batch after the other, in the order of the log."""

    def __init__(
        self, latest: dict[bytes, int], cleaned_until: int, aborted: AbortedIndex, now_ms: int, delete_retention_ms: int
    ) -> None:
        self.forgotten: list[AbortedTransaction] = []
        self._latest = latest
        self._cleaned_until = cleaned_until
        self._aborted = aborted
        self._now_ms = now_ms
        self._new_horizon_ms = now_ms + delete_retention_ms
        # Producers with records, which stay, of a transaction whose marker has not been met yet.
        self._unended: set[int] = set()

    def keep(self, header: BatchHeader, data: bytes) -> bytes | None:
        """What stays of a batch, None when that is nothing."""
        aborted = self._aborted.of_batch(header) if header.is_transactional else None
        if header.is_control:
            return self._keep_marker(header, data, aborted)
        if aborted is not None:
            return None
        kept = self._keep_data(header, data)
        if kept is not None and header.is_transactional:
            self._unended.add(header.producer_id)
        return kept

    def _keep_marker(self, header: BatchHeader, data: bytes, aborted: AbortedTransaction | None) -> bytes | None:
        if header.producer_id in self._unended and control_type(data) is ControlType.COMMIT:
            self._unended.discard(header.producer_id)
            return data
        horizon_ms = header.delete_horizon_ms
        if horizon_ms is None:
            body, spans = _scan(header, data)
            return keep_records(header, body, spans, self._new_horizon_ms) if spans else data
        if horizon_ms > self._now_ms:
            return data
        if aborted is not None:
            self.forgotten.append(aborted)
        return None

    def _keep_data(self, header: BatchHeader, data: bytes) -> bytes | None:
        if header.base_offset >= self._cleaned_until:
            return data
        body, spans = _scan(header, data)
        if not spans:
            return data if header.record_count else None
        horizon_ms = header.delete_horizon_ms
        may_drop_tombstones = horizon_ms is not None and horizon_ms <= self._now_ms
        kept = [span for span in spans if self._keeps(span, may_drop_tombstones=may_drop_tombstones)]
        if not kept:
            return None
        has_new_tombstones = horizon_ms is None and any(span.is_tombstone for span in kept)
        if len(kept) == len(spans) and not has_new_tombstones:
            return data
        return keep_records(header, body, kept, self._new_horizon_ms if has_new_tombstones else None)

    def _keeps(self, span: RecordSpan, *, may_drop_tombstones: bool) -> bool:
        if span.key is None or (span.is_tombstone and may_drop_tombstones):
            return False
        return span.offset >= self._latest.get(span.key, -1)


def _rewrite(plan: CleaningPlan, group: list[Segment], batches: BatchFilter, pace: Callable[[], None]) -> Segment:
    """One new segment from a group of old ones, written but not durable."""
    generation = max(segment.generation for segment in group) + 1
    new = Segment(plan.disk, plan.directory, group[0].base_offset, generation)
    pending: list[bytes] = []
    written = 0
    for header, data in _batches(group):
        kept = batches.keep(header, data)
        if kept is not None:
            if new.size == 0:
                new.file.truncate(0)  # a crash may have left a file of that name
            new.append(parse_header(kept), header.base_offset)
            pending.append(kept)
        if new.size - written >= WRITE_BYTES:
            new.file.write(pending, written)
            pending, written = [], new.size
        pace()
    if pending:
        new.file.write(pending, written)
    return new
