"""Which batches Produce accepts, what it changes in them, and how it refuses the others."""

import gzip
import struct
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.wire.compression import Compression
from tailrace.wire.record_batch import (
    CONTROL_BIT,
    CRC_POSITION,
    HEADER,
    HEADER_BYTES,
    LOG_APPEND_TIME_BIT,
    Record,
    encode_batch,
    parse_header,
    seal,
)

from .conftest import NOW_MS, Wire, batch, produce_fields, until


def changed(data: bytes, **fields: Any) -> bytes:
    """The batch with other fields in its header, and the CRC that belongs to them."""
    header = parse_header(data)._replace(**fields)
    return seal(bytearray(HEADER.pack(*header) + data[HEADER_BYTES:]))


def compressed(data: bytes, body: bytes, codec: Compression) -> bytes:
    header = parse_header(data)._replace(attributes=codec, batch_length=HEADER_BYTES - 12 + len(body))
    return seal(bytearray(HEADER.pack(*header) + body))


def gzipped(data: bytes) -> bytes:
    return compressed(data, gzip.compress(data[HEADER_BYTES:]), Compression.GZIP)


def old_message(magic: int) -> bytes:
    """A message of before Kafka 0.11: offset and size, then CRC-32, magic, attributes, timestamp, key and value."""
    import zlib

    content = struct.pack(">bb", magic, 0) + (struct.pack(">q", NOW_MS) if magic else b"")
    content += struct.pack(">i", -1) + struct.pack(">i", 1) + b"v"
    message = struct.pack(">I", zlib.crc32(content)) + content
    return struct.pack(">qi", 0, len(message)) + message


def refused(wire: Wire, topic: str, data: bytes, **options: Any) -> ErrorCode:
    """The error for a batch; nothing must have been appended."""
    before = wire.end_offset(topic)
    answer = wire.produce(topic, data, **options)
    assert answer.base_offset == -1
    assert wire.end_offset(topic) == before
    error: ErrorCode = answer.error_code
    return error


def test_offset_and_leader_epoch_are_the_brokers_and_the_rest_is_stored_as_it_came(wire: Wire) -> None:
    topic = wire.topic()
    data = batch(b"a", b"b")
    wire.append(topic, b"first")
    assert wire.produce(topic, data).base_offset == 1
    stored = wire.batches(topic)[1]
    header = parse_header(stored)
    assert header.base_offset == 1
    assert header.leader_epoch >= 0
    assert stored[16:] == data[16:]


def test_compressed_records_are_passed_through(wire: Wire) -> None:
    topic = wire.topic()
    data = gzipped(batch(b"a" * 500, b"b"))
    assert wire.produce(topic, data).error_code is ErrorCode.none
    assert wire.batches(topic)[0][CRC_POSITION:] == data[CRC_POSITION:]


def test_a_wrong_checksum_is_corrupt(wire: Wire) -> None:
    data = bytearray(batch(b"v"))
    data[-1] ^= 1
    assert refused(wire, wire.topic(), bytes(data)) is ErrorCode.corrupt_message


def test_a_length_beyond_the_data_is_no_batch(wire: Wire) -> None:
    data = bytearray(batch(b"v"))
    struct.pack_into(">i", data, 8, 1000)
    assert refused(wire, wire.topic(), bytes(data)) in (ErrorCode.invalid_record, ErrorCode.corrupt_message)


def test_a_partition_without_a_batch_is_an_invalid_record(wire: Wire) -> None:
    assert refused(wire, wire.topic(), b"") is ErrorCode.invalid_record


def test_two_batches_for_a_partition_are_an_invalid_record(wire: Wire) -> None:
    assert refused(wire, wire.topic(), batch(b"a") + batch(b"b")) is ErrorCode.invalid_record


@pytest.mark.parametrize("magic", [0, 1])
def test_messages_of_before_batches_are_invalid_records(wire: Wire, magic: int) -> None:
    assert refused(wire, wire.topic(), old_message(magic)) is ErrorCode.invalid_record


def test_a_base_offset_other_than_zero_is_an_invalid_record(wire: Wire) -> None:
    assert refused(wire, wire.topic(), changed(batch(b"v"), base_offset=5)) is ErrorCode.invalid_record


@pytest.mark.parametrize(
    "fields",
    [
        {"last_offset_delta": 5},
        {"record_count": 5},
        {"record_count": 0, "last_offset_delta": -1},
        {"record_count": -1, "last_offset_delta": -2},
    ],
    ids=str,
)
def test_counts_that_do_not_fit_are_an_invalid_record(wire: Wire, fields: dict[str, int]) -> None:
    assert refused(wire, wire.topic(), changed(batch(b"a", b"b"), **fields)) is ErrorCode.invalid_record


def test_a_client_cannot_write_control_batches(wire: Wire) -> None:
    assert refused(wire, wire.topic(), changed(batch(b"v"), attributes=CONTROL_BIT)) is ErrorCode.invalid_record


def test_zstd_needs_version_7(wire: Wire) -> None:
    topic = wire.topic()
    data = changed(batch(b"v"), attributes=int(Compression.ZSTD))
    assert refused(wire, topic, data, version=6) is ErrorCode.unsupported_compression_type


def test_a_batch_larger_than_max_message_bytes_is_refused(wire: Wire) -> None:
    fits = batch(b"x" * 1000)
    topic = wire.topic(max_message_bytes=str(len(fits)))
    assert wire.produce(topic, fits).error_code is ErrorCode.none
    assert refused(wire, topic, batch(b"x" * 1001)) is ErrorCode.message_too_large


def test_one_bad_partition_does_not_touch_the_others(wire: Wire) -> None:
    good, missing = wire.topic(2), wire.unique("missing")
    bad = bytearray(batch(b"v"))
    bad[-1] ^= 1
    batches: dict[tuple[str, int], bytes | None] = {
        (good, 0): bytes(bad),
        (good, 1): batch(b"v"),
        (missing, 0): batch(b"v"),
    }
    answer = wire.ask("produce", 9, **produce_fields(batches))
    errors = {
        (topic.name, entry.index): entry.error_code for topic in answer.responses for entry in topic.partition_responses
    }
    assert errors == {
        (good, 0): ErrorCode.corrupt_message,
        (good, 1): ErrorCode.none,
        (missing, 0): ErrorCode.unknown_topic_or_partition,
    }


@pytest.mark.parametrize("acks", [2, -2])
def test_acks_other_than_all_one_and_none_are_refused(wire: Wire, acks: int) -> None:
    assert refused(wire, wire.topic(), batch(b"v"), acks=acks) is ErrorCode.invalid_required_acks


def test_without_acks_there_is_no_response(wire: Wire) -> None:
    topic = wire.topic()
    wire.send("produce", 9, **produce_fields({(topic, 0): batch(b"v")}, acks=0))
    asked = wire.send("list_offsets", 7, replica_id=-1, topics=[])
    assert wire.receive(asked) is not None, "the next response is that of the next request"
    until(lambda: bool(wire.values(topic)))


def test_an_error_without_acks_closes_the_connection(wire: Wire) -> None:
    missing = wire.unique("missing")
    wire.send("produce", 9, **produce_fields({(missing, 0): batch(b"v")}, acks=0))
    assert wire.receive(wire.send("list_offsets", 7, replica_id=-1, topics=[])) is None


# -- compacted topics ----------------------------------------------------------------------------------------------


def test_a_compacted_topic_refuses_null_keys_and_names_the_records(wire: Wire) -> None:
    topic = wire.topic(cleanup_policy="compact")
    records = [Record(number, NOW_MS, key, b"v") for number, key in enumerate([b"k", None, b"k", None])]
    answer = wire.produce(topic, encode_batch(records))
    assert answer.error_code is ErrorCode.invalid_record
    assert [error.batch_index for error in answer.record_errors] == [1, 3]
    for error in answer.record_errors:
        assert "without key" in error.batch_index_error_message
    assert answer.error_message
    assert wire.end_offset(topic) == 0


def test_versions_without_record_errors_have_the_code_alone(wire: Wire) -> None:
    topic = wire.topic(cleanup_policy="compact")
    assert refused(wire, topic, batch(b"v", key=None), version=7) is ErrorCode.invalid_record


def test_an_empty_key_is_a_key(wire: Wire) -> None:
    topic = wire.topic(cleanup_policy="compact,delete")
    assert wire.produce(topic, batch(b"v", key=b"")).error_code is ErrorCode.none


# -- timestamps ----------------------------------------------------------------------------------------------------


def test_log_append_time_is_one_time_for_all_records_in_batch_and_answer(wire: Wire) -> None:
    topic = wire.topic(message_timestamp_type="LogAppendTime")
    answer = wire.produce(topic, batch(b"a", b"b"))
    [stored] = wire.batches(topic)
    header = parse_header(stored)
    assert header.attributes & LOG_APPEND_TIME_BIT
    assert header.max_timestamp == ms(answer.log_append_time)
    assert header.max_timestamp > NOW_MS
    assert [record.timestamp for record in wire.records(topic)] == [header.max_timestamp] * 2


def test_create_time_is_the_clients_and_not_in_the_answer(wire: Wire) -> None:
    topic = wire.topic()
    answer = wire.produce(topic, batch(b"a", b"b"))
    assert answer.log_append_time is None
    assert [record.timestamp for record in wire.records(topic)] == [NOW_MS, NOW_MS + 1000]


def test_a_client_must_not_claim_log_append_time(wire: Wire) -> None:
    topic = wire.topic(message_timestamp_type="LogAppendTime")
    assert refused(wire, topic, changed(batch(b"v"), attributes=LOG_APPEND_TIME_BIT)) is ErrorCode.invalid_timestamp


def test_a_claim_of_log_append_time_is_dropped_where_the_topic_has_create_time(wire: Wire) -> None:
    topic = wire.topic()
    assert wire.produce(topic, changed(batch(b"v"), attributes=LOG_APPEND_TIME_BIT)).error_code is ErrorCode.none
    assert parse_header(wire.batches(topic)[0]).attributes == 0
    assert [record.timestamp for record in wire.records(topic)] == [NOW_MS]


def now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000


HOUR_MS = 3_600_000


def test_a_time_too_far_ahead_is_refused_by_default(wire: Wire) -> None:
    topic = wire.topic()
    late = now_ms() + 2 * HOUR_MS
    answer = wire.produce(topic, batch(b"a", b"b", timestamps=[now_ms(), late]))
    assert answer.error_code is ErrorCode.invalid_timestamp
    assert [error.batch_index for error in answer.record_errors] == [1]
    assert wire.produce(topic, batch(b"v", timestamps=[now_ms() + HOUR_MS // 2])).error_code is ErrorCode.none


def test_how_far_a_time_may_be_off_is_configured(wire: Wire) -> None:
    topic = wire.topic(message_timestamp_before_max_ms=str(HOUR_MS), message_timestamp_after_max_ms=str(3 * HOUR_MS))

    def error_at(timestamp: int) -> ErrorCode:
        error: ErrorCode = wire.produce(topic, batch(b"v", timestamps=[timestamp])).error_code
        return error

    assert error_at(now_ms() - 2 * HOUR_MS) is ErrorCode.invalid_timestamp
    assert error_at(now_ms() - HOUR_MS // 2) is ErrorCode.none
    assert error_at(now_ms() + 2 * HOUR_MS) is ErrorCode.none
    assert error_at(now_ms() + 4 * HOUR_MS) is ErrorCode.invalid_timestamp


def test_a_record_without_a_time_is_accepted(wire: Wire) -> None:
    topic = wire.topic(message_timestamp_before_max_ms=str(HOUR_MS))
    assert wire.produce(topic, batch(b"v", timestamps=[-1])).error_code is ErrorCode.none


def test_with_log_append_time_the_clients_time_does_not_matter(wire: Wire) -> None:
    topic = wire.topic(message_timestamp_type="LogAppendTime", message_timestamp_before_max_ms="1")
    assert wire.produce(topic, batch(b"v", timestamps=[1])).error_code is ErrorCode.none


def ms(time: Any) -> int:
    return int(time.timestamp() * 1000)
