"""Records as places in their batch, for taking some of them out without decoding the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tailrace.wire.compression import compress
from tailrace.wire.record_batch import (
    DELETE_HORIZON_BIT,
    HEADER,
    HEADER_BYTES,
    LOG_APPEND_TIME_BIT,
    LOG_OVERHEAD_BYTES,
    BatchHeader,
    CorruptBatch,
    seal,
)
from tailrace.wire.varint import read_varint, varint

ATTRIBUTES_BYTES = 1


class RecordSpan(NamedTuple):
    """Where a record lies in the decompressed records, and what compaction asks of it."""

    start: int
    """Of the record with its length."""

    delta_start: int
    """Of the timestamp delta."""

    delta_end: int
    end: int
    offset: int
    timestamp_delta: int
    key: bytes | None
    is_tombstone: bool


def scan_records(body: bytes | memoryview, header: BatchHeader) -> list[RecordSpan]:
    """The records in `body`, which is what `open_records` gives. Raises CorruptBatch."""
    spans = []
    position = 0
    try:
        for _ in range(header.record_count):
            start = position
            size, position = read_varint(body, position)
            end = position + size
            delta_start = position + ATTRIBUTES_BYTES
            timestamp_delta, delta_end = read_varint(body, delta_start)
            offset_delta, position = read_varint(body, delta_end)
            key_bytes, position = read_varint(body, position)
            key = None
            if key_bytes >= 0:
                key = bytes(body[position : position + key_bytes])
                position += key_bytes
            is_tombstone = read_varint(body, position)[0] < 0
            if not start < position < end <= len(body):
                raise ValueError(f"it ends at byte {end}")
            offset = header.base_offset + offset_delta
            spans.append(RecordSpan(start, delta_start, delta_end, end, offset, timestamp_delta, key, is_tombstone))
            position = end
    except (IndexError, ValueError) as error:
        raise CorruptBatch(f"a record at byte {position} of {len(body)} cannot be read: {error}") from error
    return spans


def keep_records(
    header: BatchHeader, body: bytes | memoryview, kept: Sequence[RecordSpan], delete_horizon_ms: int | None
) -> bytes:
    """The batch with the `kept` records only, at least one, at their offsets.

    Offsets, producer and codec of the batch stay as they are. A delete horizon takes the place of the base timestamp,
    so the records' deltas are made anew (KIP-534).
    """
    base_timestamp, attributes = header.base_timestamp, header.attributes
    if delete_horizon_ms is None:
        records = b"".join([body[span.start : span.end] for span in kept])
    else:
        shift = base_timestamp - delete_horizon_ms
        records = b"".join([_shifted(body, span, shift) for span in kept])
        base_timestamp, attributes = delete_horizon_ms, attributes | DELETE_HORIZON_BIT
    max_timestamp = header.max_timestamp
    if not attributes & LOG_APPEND_TIME_BIT:
        max_timestamp = header.base_timestamp + max(span.timestamp_delta for span in kept)
    packed = compress(header.compression, records)
    changed = header._replace(
        batch_length=HEADER_BYTES - LOG_OVERHEAD_BYTES + len(packed),
        attributes=attributes,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        record_count=len(kept),
        crc=0,
    )
    return seal(bytearray(HEADER.pack(*changed) + packed))


def _shifted(body: bytes | memoryview, span: RecordSpan, shift: int) -> bytes:
    """A record whose timestamp delta is greater by `shift`."""
    record = b"".join(
        (
            body[span.delta_start - ATTRIBUTES_BYTES : span.delta_start],
            varint(span.timestamp_delta + shift),
            body[span.delta_end : span.end],
        )
    )
    return varint(len(record)) + record
