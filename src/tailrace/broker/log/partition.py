"""The log of one partition: its offsets, segments, producers and leader epochs.

State follows from the appended batches alone, live and on replay. The high watermark is the end of what is durable:
nothing above it is ever served, so a crash cannot take back what somebody has read. The last stable offset is computed
from durable markers for the same reason.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from tailrace.broker.disk import Buffers, Disk
from tailrace.broker.log.index import Place
from tailrace.broker.log.producers import AbortedTransaction, Producers, ProducersSnapshot
from tailrace.broker.log.segment import Segment
from tailrace.wire.record_batch import (
    NO_PRODUCER_ID,
    BatchHeader,
    CorruptBatch,
    control_type,
    iter_records,
)

KNOWN_PLACES_MAX = 64
SHARED_BYTES_MAX = 16 << 10


class SegmentWrite(NamedTuple):
    """Bytes that belong at a position of a segment's file."""

    segment: Segment
    position: int
    parts: Buffers


class LogEnd(NamedTuple):
    """The end of a log: offset, and where the next batch will be written."""

    offset: int
    segment: Segment
    position: int


class FoundOffset(NamedTuple):
    """Answer to a search by timestamp."""

    offset: int
    timestamp: int


class SegmentSnapshot(msgspec.Struct, array_like=True):
    """What a checkpoint stores of a segment."""

    base_offset: int
    size: int
    first_timestamp: int
    max_timestamp: int
    generation: int = 0


class PartitionSnapshot(msgspec.Struct, array_like=True):
    """What a checkpoint stores of a partition."""

    log_start_offset: int
    log_end_offset: int
    segments: list[SegmentSnapshot]
    producers: ProducersSnapshot
    epochs: list[tuple[int, int]]
    cleaned_until: int = 0


class PartitionLog:
    """An append-only sequence of batches; see the module's description."""

    def __init__(self, disk: Disk, directory: str, snapshot: PartitionSnapshot | None = None) -> None:
        self.directory = directory
        self.segment_bytes = 1 << 30
        self.segment_ms = 7 * 24 * 3600 * 1000
        self._disk = disk
        snapshot = snapshot or PartitionSnapshot(0, 0, [], ProducersSnapshot(), [])
        self.log_start_offset = snapshot.log_start_offset
        self.log_end_offset = snapshot.log_end_offset
        self.producers = Producers(snapshot.producers)
        self.epochs = snapshot.epochs
        # Before this offset there is one record of each key at most (and tombstones, for a while).
        self.cleaned_until = snapshot.cleaned_until
        self.segments = [self._load_segment(stored) for stored in snapshot.segments]
        if not self.segments:
            self.segments.append(Segment(disk, directory, self.log_end_offset))
        self._durable = self.end()
        # End of what is durable and decided, exclusive. Only `advance` moves it: what is appended meanwhile lies behind
        # the high watermark, and a transaction counts as open until its marker is durable.
        self.last_stable_offset = self._stable_end()
        self._places: dict[int, tuple[Segment, Place]] = {}
        self._shared_place: tuple[Segment, int, int] | None = None
        self._shared_bytes = b""

    def _load_segment(self, stored: SegmentSnapshot) -> Segment:
        segment = Segment(self._disk, self.directory, stored.base_offset, stored.generation)
        segment.first_timestamp = stored.first_timestamp
        segment.max_timestamp = stored.max_timestamp
        if stored.size:
            segment.load(stored.size)
        return segment

    def snapshot(self) -> PartitionSnapshot:
        """The present state, durable or not."""
        return PartitionSnapshot(
            self.log_start_offset,
            self.log_end_offset,
            [
                SegmentSnapshot(s.base_offset, s.size, s.first_timestamp, s.max_timestamp, s.generation)
                for s in self.segments
            ],
            self.producers.snapshot(),
            self.epochs,
            self.cleaned_until,
        )

    @property
    def active(self) -> Segment:
        """The segment that is appended to."""
        return self.segments[-1]

    @property
    def high_watermark(self) -> int:
        """End of what is durable, exclusive."""
        return self._durable.offset

    def _stable_end(self) -> int:
        undecided = self.producers.first_undecided_offset()
        return self.high_watermark if undecided is None else min(undecided, self.high_watermark)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def end(self) -> LogEnd:
        """Where the next batch goes."""
        return LogEnd(self.log_end_offset, self.active, self.active.size)

    def append(self, header: BatchHeader, parts: Buffers) -> SegmentWrite:
        """Append a batch that carries the offset `log_end_offset` and its epoch; gives what is to be written."""
        base_offset = self.log_end_offset
        if self.active.size and self._must_roll(header):
            self.segments.append(Segment(self._disk, self.directory, base_offset))
        position = self.active.append(header, base_offset)
        self.log_end_offset = base_offset + header.last_offset_delta + 1
        if header.producer_id != NO_PRODUCER_ID:
            self.producers.evolve(header, base_offset, control_type(b"".join(parts)) if header.is_control else None)
        if not self.epochs or self.epochs[-1][0] < header.leader_epoch:
            self.epochs.append((header.leader_epoch, base_offset))
        return SegmentWrite(self.active, position, parts)

    def _must_roll(self, header: BatchHeader) -> bool:
        """Like Kafka, by the time of the records, so that replay makes the same segments."""
        is_full = self.active.size + header.size > self.segment_bytes
        return is_full or header.max_timestamp - self.active.first_timestamp > self.segment_ms

    def advance(self, durable: LogEnd) -> bool:
        """Everything before `durable` is on disk now; whether that lets a reader of committed records read on."""
        before = self.last_stable_offset
        self._durable = durable
        self.producers.settle(durable.offset)
        self.last_stable_offset = self._stable_end()
        return self.last_stable_offset > before

    def read(self, offset: int, limit: int, max_bytes: int, *, at_least_one: bool) -> bytes:
        """Whole batches that hold offsets from `offset`, which may begin earlier, up to offset `limit`, exclusive.

        At most about `max_bytes`; with `at_least_one` the first batch is given even if it is larger.
        """
        if offset >= limit:
            return b""
        number = max(bisect_right(self.segments, offset, key=lambda segment: segment.base_offset) - 1, 0)
        while number < len(self.segments):
            segment = self.segments[number]
            end = self._end_in(segment, limit)
            place = self._known_place(offset, segment) or segment.place_of(offset, end.position)
            if place.position < end.position:
                return self._read_segment(segment, place, end, max_bytes, at_least_one)
            number += 1
            if segment is self._durable.segment:
                break
        return b""

    def _end_in(self, segment: Segment, limit: int) -> Place:
        """Up to where a segment may be read."""
        end = self._durable.position if segment is self._durable.segment else segment.size
        if limit < self.high_watermark:
            return segment.place_of(limit, end)
        return Place(limit, end)

    def _read_segment(self, segment: Segment, start: Place, end: Place, max_bytes: int, at_least_one: bool) -> bytes:
        stop = end
        if end.position - start.position > max_bytes:
            stop = segment.index.boundary_before(start.position + max_bytes)
            if stop.position <= start.position:
                if not at_least_one:
                    return b""
                stop = min(segment.index.boundary_after(start.position) or end, end)
        self._remember(stop, segment)
        return self._read_bytes(segment, start.position, stop.position)

    def _read_bytes(self, segment: Segment, start: int, stop: int) -> bytes:
        """Bytes of a segment; a few are kept for the next reader, since many may be waiting for the same ones."""
        if stop - start > SHARED_BYTES_MAX:
            return segment.file.read(stop - start, start)
        place = segment, start, stop
        if place != self._shared_place:
            self._shared_place, self._shared_bytes = place, segment.file.read(stop - start, start)
        return self._shared_bytes

    def _remember(self, place: Place, segment: Segment) -> None:
        """Keep where a reader stopped: it will most likely go on there."""
        if len(self._places) >= KNOWN_PLACES_MAX:
            self._places.clear()
        self._places[place.offset] = segment, place

    def _known_place(self, offset: int, segment: Segment) -> Place | None:
        known = self._places.get(offset)
        return known[1] if known and known[0] is segment else None

    def end_offset_of_epoch(self, epoch: int) -> tuple[int, int]:
        """The greatest epoch not above `epoch` and its end; before all epochs `epoch` and the start of the first."""
        number = bisect_right(self.epochs, epoch, key=lambda entry: entry[0])
        if number == 0:
            first = self.epochs[0][1] if self.epochs else self.high_watermark
            return (epoch, first) if epoch >= 0 else (-1, -1)
        end = self.epochs[number][1] if number < len(self.epochs) else self.high_watermark
        return self.epochs[number - 1][0], end

    def find_timestamp(self, timestamp: int, limit: int) -> FoundOffset | None:
        """The first record before offset `limit` that is not older than `timestamp`.

        For a batch that cannot be opened, its first record stands for the one that was looked for.
        """
        for segment in self._durable_segments():
            if segment.max_timestamp < timestamp:
                continue
            start = segment.index.before_timestamp(timestamp).position
            for position, header in segment.headers(start, self._end_in(segment, limit).position):
                if header.max_timestamp < timestamp or header.last_offset < self.log_start_offset:
                    continue
                found = self._find_in_batch(segment, position, header, timestamp)
                return found if found.offset < limit else None
        return None

    def find_max_timestamp(self, limit: int) -> FoundOffset | None:
        """The first of the records with the greatest timestamp before offset `limit`."""
        best: tuple[int, Segment] | None = None
        for segment in self._durable_segments():
            if segment.size and (best is None or segment.max_timestamp > best[0]):
                best = (segment.max_timestamp, segment)
        return None if best is None else self.find_timestamp(best[0], limit)

    def _durable_segments(self) -> list[Segment]:
        """The segments up to the high watermark; a newer one may not be written yet."""
        if self._durable.segment not in self.segments:
            return []
        return self.segments[: self.segments.index(self._durable.segment) + 1]

    def _find_in_batch(self, segment: Segment, position: int, header: BatchHeader, timestamp: int) -> FoundOffset:
        with suppress(CorruptBatch):
            for record in iter_records(segment.file.read(header.size, position)):
                if record.timestamp >= timestamp and record.offset >= self.log_start_offset:
                    return FoundOffset(record.offset, record.timestamp)
        return FoundOffset(max(header.base_offset, self.log_start_offset), max(header.base_timestamp, timestamp))

    def move_start(self, offset: int) -> list[Segment]:
        """Give up everything before `offset`; gives the segments that are not needed any more.

        When that is everything, the next batch begins a new segment.
        """
        if offset >= self.log_end_offset and self.active.size:
            self.segments.append(Segment(self._disk, self.directory, self.log_end_offset))
        self.log_start_offset = max(self.log_start_offset, offset)
        self.producers.forget_before(self.log_start_offset)
        kept = max(bisect_right(self.segments, offset, key=lambda segment: segment.base_offset) - 1, 0)
        dropped, self.segments = self.segments[:kept], self.segments[kept:]
        return dropped

    def decided_segments(self) -> list[Segment]:
        """The segments from the first on that nobody writes to and in which every transaction has ended, durably."""
        durable = self._durable_segments()
        ends = [segment.base_offset for segment in durable[1:]]
        return durable[: bisect_right(ends, self.last_stable_offset)]

    def replace_segments(
        self, old: list[Segment], new: list[Segment], cleaned_until: int, forgotten: Iterable[AbortedTransaction]
    ) -> bool:
        """Put what compaction made of the first segments in their place; False when they are not the first any more.

        The contents count as the same, so this is no frame of the journal; which files hold them, a checkpoint says.
        """
        if self.segments[: len(old)] != old:
            return False
        self.segments[: len(old)] = new
        self.cleaned_until = cleaned_until
        self.producers.forget(forgotten)
        self._places.clear()
        return True

    def close(self) -> None:
        """Close the files."""
        for segment in self.segments:
            segment.close()
