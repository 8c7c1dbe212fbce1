"""Which batches a topic takes from a producer, and what it changes in them; as in Kafka's LogValidator.

Nothing is decompressed here: what compressed records say is not looked at beyond their batch's header.
"""

from __future__ import annotations

from typing import NamedTuple

from kio.schema.errors import ErrorCode

from tailrace.broker.topics import Topic
from tailrace.wire.compression import Compression
from tailrace.wire.record_batch import (
    NO_PRODUCER_ID,
    NO_TIMESTAMP,
    BatchHeader,
    CorruptBatch,
    MalformedBatch,
    check_batch,
    iter_records,
    records_without_key,
    with_append_time,
    with_create_time,
)

ZSTD_SINCE = 7


class Refused(NamedTuple):
    """Why a batch is not appended; `records` are the indexes of the records at fault.

    What is refused before it gets to the log (`is_early`) is told without the offset that the log begins with.
    """

    error: ErrorCode
    message: str | None = None
    records: tuple[int, ...] = ()
    is_early: bool = False


def examine(batch: bytes | memoryview, topic: Topic, version: int, now_ms: int) -> BatchHeader | Refused:
    """The batch's header when it may be appended, as far as its bytes tell; `version` is that of Produce."""
    if len(batch) > topic.max_message_bytes:
        message = f"{len(batch):,} bytes, expected at most max.message.bytes={topic.max_message_bytes:,}"
        return Refused(ErrorCode.message_too_large, message, is_early=True)
    try:
        header = check_batch(batch)
        problem = _header_problem(header, version) or _record_problem(batch, header, topic, now_ms)
    except MalformedBatch as malformed:
        return Refused(ErrorCode.invalid_record, str(malformed), is_early=True)
    except CorruptBatch as corrupt:
        return Refused(ErrorCode.corrupt_message, str(corrupt), is_early=True)
    return problem or header


def timestamped(batch: bytes | memoryview, header: BatchHeader, topic: Topic, now_ms: int) -> bytes | memoryview:
    """The batch with the kind of timestamps that the topic has."""
    if topic.uses_append_time:
        return with_append_time(batch, now_ms)
    return with_create_time(batch) if header.has_append_time else batch


def _header_problem(header: BatchHeader, version: int) -> Refused | None:
    if header.base_offset != 0:
        return Refused(ErrorCode.invalid_record, f"base offset {header.base_offset}, expected 0")
    if header.is_control:
        return Refused(ErrorCode.invalid_record, "clients must not write control batches")
    if header.compression > Compression.ZSTD:
        return Refused(ErrorCode.unsupported_compression_type)
    if header.compression == Compression.ZSTD and version < ZSTD_SINCE:
        return Refused(ErrorCode.unsupported_compression_type, f"zstd needs Produce version {ZSTD_SINCE}")
    if header.producer_id != NO_PRODUCER_ID and (header.base_sequence < 0 or header.producer_epoch < 0):
        return Refused(ErrorCode.invalid_record, "a producer id without epoch and sequence")
    if header.is_transactional and header.producer_id == NO_PRODUCER_ID:
        return Refused(ErrorCode.invalid_record, "a transactional batch without producer id")
    return None


def _record_problem(batch: bytes | memoryview, header: BatchHeader, topic: Topic, now_ms: int) -> Refused | None:
    if topic.is_compacted and header.compression == Compression.NONE:
        without_key = tuple(records_without_key(batch))
        if without_key:
            return Refused(ErrorCode.invalid_record, "a compacted topic takes no record without key", without_key)
    if topic.uses_append_time:
        if header.has_append_time:
            return Refused(ErrorCode.invalid_timestamp, "producers must not set the timestamp type to LogAppendTime")
        return None
    return _time_problem(batch, header, topic, now_ms)


def _time_problem(batch: bytes | memoryview, header: BatchHeader, topic: Topic, now_ms: int) -> Refused | None:
    """Of compressed records, the header tells the times of the first and the newest one only."""
    earliest, latest = now_ms - topic.timestamp_before_max_ms, now_ms + topic.timestamp_after_max_ms
    if earliest < 0 and header.max_timestamp <= latest:
        return None
    if header.compression == Compression.NONE:
        times = [record.timestamp for record in iter_records(batch)]
    else:
        times = [header.base_timestamp, header.max_timestamp]
    outside = [index for index, time in enumerate(times) if time != NO_TIMESTAMP and not earliest <= time <= latest]
    if not outside:
        return None
    message = f"a timestamp lies outside of {earliest} to {latest}, which the topic's message.timestamp.*.max.ms allow"
    records = tuple(outside) if header.compression == Compression.NONE else ()
    return Refused(ErrorCode.invalid_timestamp, message, records)
