"""Which batches a topic takes: what raw requests cannot show on both brokers alike."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.admission import Refused, examine, timestamped
from tailrace.broker.checkpoint import TopicSnapshot
from tailrace.broker.disk import Disk
from tailrace.broker.topics import Topic
from tailrace.wire.compression import Compression
from tailrace.wire.record_batch import (
    HEADER,
    HEADER_BYTES,
    LOG_APPEND_TIME_BIT,
    Record,
    encode_batch,
    parse_header,
    seal,
)

NOW_MS = 1_700_000_000_000
DAY_MS = 24 * 3600 * 1000
VERSION = 9


@pytest.fixture
def topic_with(tmp_path: Any) -> Any:
    """Makes a topic with configurations; underscores stand for dots."""

    def make(**configs: str) -> Topic:
        dotted = {name.replace("_", "."): value for name, value in configs.items()}
        return Topic(Disk(tmp_path), TopicSnapshot("topic", bytes(16), dotted, []))

    return make


def batch_at(*timestamps: int, **fields: Any) -> bytes:
    data = encode_batch([Record(offset, time, b"k", b"v") for offset, time in enumerate(timestamps)])
    header = parse_header(data)._replace(**fields)
    return seal(bytearray(HEADER.pack(*header) + data[HEADER_BYTES:]))


def outcome(data: bytes, topic: Topic) -> tuple[ErrorCode, tuple[int, ...]]:
    found = examine(data, topic, VERSION, NOW_MS)
    return (found.error, found.records) if isinstance(found, Refused) else (ErrorCode.none, ())


GOOD = ErrorCode.none, ()


def test_every_record_out_of_bounds_is_named(topic_with: Any) -> None:
    topic = topic_with(message_timestamp_before_max_ms=str(DAY_MS), message_timestamp_after_max_ms="0")
    data = batch_at(NOW_MS, NOW_MS - DAY_MS - 1, NOW_MS - DAY_MS, -1, NOW_MS + 1)
    assert outcome(data, topic) == (ErrorCode.invalid_timestamp, (1, 4))


@pytest.mark.parametrize(
    ("first", "newest", "error"),
    [
        (NOW_MS, NOW_MS, ErrorCode.none),
        (-1, -1, ErrorCode.none),
        (NOW_MS - DAY_MS - 1, NOW_MS, ErrorCode.invalid_timestamp),
        (NOW_MS, NOW_MS + 1, ErrorCode.invalid_timestamp),
    ],
)
def test_compressed_records_are_judged_by_the_header(
    topic_with: Any, first: int, newest: int, error: ErrorCode
) -> None:
    topic = topic_with(message_timestamp_before_max_ms=str(DAY_MS), message_timestamp_after_max_ms="0")
    data = batch_at(NOW_MS, attributes=int(Compression.ZSTD), base_timestamp=first, max_timestamp=newest)
    assert outcome(data, topic) == (error, ())


def test_what_is_compressed_is_not_opened(topic_with: Any) -> None:
    topic = topic_with(cleanup_policy="compact")
    for codec in (Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.ZSTD):
        assert outcome(batch_at(NOW_MS, attributes=int(codec)), topic) == GOOD, "although it cannot be opened"


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_refused(topic_with: Any, codec: int) -> None:
    assert outcome(batch_at(NOW_MS, attributes=codec), topic_with())[0] is ErrorCode.unsupported_compression_type


@pytest.mark.parametrize(
    ("magic", "error"), [(0, ErrorCode.invalid_record), (1, ErrorCode.invalid_record), (3, ErrorCode.corrupt_message)]
)
def test_older_formats_and_unknown_ones_are_told_apart(topic_with: Any, magic: int, error: ErrorCode) -> None:
    assert outcome(batch_at(NOW_MS, magic=magic), topic_with())[0] is error


@pytest.mark.parametrize("uses_append_time", [True, False])
@pytest.mark.parametrize("claims_append_time", [True, False])
def test_a_batch_gets_the_kind_of_time_that_the_topic_has(
    topic_with: Any, uses_append_time: bool, claims_append_time: bool
) -> None:
    topic = topic_with(message_timestamp_type="LogAppendTime" if uses_append_time else "CreateTime")
    data = batch_at(5, attributes=LOG_APPEND_TIME_BIT if claims_append_time else 0)
    stored = timestamped(data, parse_header(data), topic, NOW_MS)
    header = parse_header(stored)
    assert header.has_append_time is uses_append_time
    assert header.max_timestamp == (NOW_MS if uses_append_time else 5)
    assert seal(bytearray(stored)) == stored, "the CRC is right"
