"""Fetch: how much is given, what it waits for, and in which order answers come."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.wire.record_batch import iter_headers, parse_header

from .conftest import Wire, batch, fetch_fields, until

Connect = Callable[[], Wire]


def offsets(data: bytes) -> list[int]:
    """Base offsets of the batches."""
    return [header.base_offset for _, header in iter_headers(bytes(data))]


def ask(wire: Wire, wanted: dict[tuple[str, int], int], **options: Any) -> dict[tuple[str, int], Any]:
    answer = wire.ask("fetch", 11, **fetch_fields(wanted, **options))
    return {(topic.topic, entry.partition_index): entry for topic in answer.responses for entry in topic.partitions}


# -- how much ------------------------------------------------------------------------------------------------------


def test_batches_may_begin_before_the_offset_that_is_asked_for(wire: Wire) -> None:
    topic = wire.topic()
    wire.append(topic, b"0", b"1", b"2")
    wire.append(topic, b"3")
    assert offsets(wire.fetch(topic, 1).records) == [0, 3]
    assert offsets(wire.fetch(topic, 3).records) == [3]


@pytest.mark.parametrize("limits", [{"max_bytes": 1}, {"partition_max_bytes": 1}, {"max_bytes": 0}], ids=str)
def test_the_first_batch_comes_whole_even_if_it_is_larger_than_allowed(wire: Wire, limits: dict[str, int]) -> None:
    topic = wire.topic()
    for value in (b"a" * 1000, b"b"):
        wire.append(topic, value)
    data = wire.fetch(topic, **limits).records
    assert offsets(data)[:1] == [0]
    assert len(data) >= parse_header(bytes(data)).size


def test_the_first_partition_that_is_not_empty_gives_at_least_a_batch(wire: Wire) -> None:
    empty, full, other = wire.topic(), wire.topic(), wire.topic()
    for topic in (full, other):
        wire.append(topic, b"v" * 1000)
    found = ask(wire, {(empty, 0): 0, (full, 0): 0, (other, 0): 0}, max_bytes=100)
    sizes = [len(found[topic, 0].records or b"") for topic in (empty, full, other)]
    assert sizes[0] == 0
    assert sizes[1] > 1000
    assert sizes[2] == 0


def test_max_bytes_holds_across_partitions_and_partition_max_bytes_for_each(wire: Wire) -> None:
    topic = wire.topic(2)
    size = len(batch(b"v" * 5000))
    for index in range(2):
        for _ in range(4):
            wire.append_to(topic, index, b"v" * 5000)
    whole = ask(wire, {(topic, 0): 0, (topic, 1): 0})
    assert [len(whole[topic, index].records) for index in range(2)] == [4 * size] * 2
    each = ask(wire, {(topic, 0): 0, (topic, 1): 0}, partition_max_bytes=2 * size)
    assert all(size <= len(each[topic, index].records) <= 2 * size for index in range(2))
    together = ask(wire, {(topic, 0): 0, (topic, 1): 0}, max_bytes=5 * size)
    assert sum(len(entry.records) for entry in together.values()) <= 5 * size


def test_an_empty_partition_tells_where_it_ends(wire: Wire) -> None:
    topic = wire.topic()
    answer = wire.fetch(topic, version=11)
    assert (answer.error_code, answer.high_watermark, answer.last_stable_offset) == (ErrorCode.none, 0, 0)
    assert (answer.log_start_offset, answer.records or b"") == (0, b"")


@pytest.mark.parametrize("offset", [-1, 2, 100])
def test_an_offset_outside_of_the_log_is_out_of_range(wire: Wire, offset: int) -> None:
    topic = wire.topic()
    wire.append(topic, b"v")
    answer = wire.fetch(topic, offset)
    assert (answer.error_code, answer.high_watermark) == (ErrorCode.offset_out_of_range, -1)


def test_deleted_records_are_out_of_range(wire: Wire) -> None:
    topic = wire.topic()
    for value in (b"0", b"1", b"2"):
        wire.append(topic, value)
    wanted = {"name": topic, "partitions": [{"partition_index": 0, "offset": 2}]}
    wire.ask("delete_records", 2, topics=[wanted], timeout=10_000)
    assert wire.fetch(topic, 1).error_code is ErrorCode.offset_out_of_range
    answer = wire.fetch(topic, 2)
    assert (answer.log_start_offset, offsets(answer.records)) == (2, [2])


@pytest.mark.parametrize("version", range(4, 13))
def test_every_version_by_name_gives_the_same_records(wire: Wire, version: int) -> None:
    topic = wire.topic()
    wire.append(topic, b"v")
    assert offsets(wire.fetch(topic, version=version).records) == [0]


@pytest.mark.parametrize(("change", "error"), [(0, ErrorCode.none), (1, ErrorCode.unknown_leader_epoch)])
def test_the_leader_epoch_is_compared(wire: Wire, change: int, error: ErrorCode) -> None:
    topic = wire.topic()
    present = wire.describe_topic(topic).partitions[0].leader_epoch
    fields = fetch_fields({(topic, 0): 0})
    fields["topics"][0]["partitions"][0]["current_leader_epoch"] = present + change
    assert wire.ask("fetch", 11, **fields).responses[0].partitions[0].error_code is error


# -- waiting -------------------------------------------------------------------------------------------------------


def test_a_fetch_waits_for_the_next_record(wire: Wire, connect: Connect) -> None:
    topic = wire.topic()
    reader = connect()
    asked = reader.send("fetch", 11, **fetch_fields({(topic, 0): 0}, max_wait=10_000))
    assert reader.is_silent()
    wire.append(topic, b"v")
    assert offsets(reader.receive(asked).responses[0].partitions[0].records) == [0]


def test_a_fetch_waits_no_longer_than_it_says(wire: Wire) -> None:
    topic = wire.topic()
    started = time.monotonic()
    wire.fetch(topic, max_wait=300)
    assert 0.29 < time.monotonic() - started < 5


def test_a_fetch_that_asks_for_no_bytes_or_no_wait_is_answered_at_once(wire: Wire) -> None:
    topic = wire.topic()
    started = time.monotonic()
    wire.fetch(topic, max_wait=10_000, min_bytes=0)
    wire.fetch(topic, max_wait=0, min_bytes=10_000)
    assert time.monotonic() - started < 5


def test_min_bytes_count_across_partitions(wire: Wire, connect: Connect) -> None:
    topic = wire.topic(2)
    size = len(batch(b"v" * 100))
    reader = connect()
    fields = fetch_fields({(topic, 0): 0, (topic, 1): 0}, max_wait=10_000, min_bytes=2 * size)
    asked = reader.send("fetch", 11, **fields)
    wire.append_to(topic, 0, b"v" * 100)
    assert reader.is_silent()
    wire.append_to(topic, 1, b"v" * 100)
    partitions = reader.receive(asked).responses[0].partitions
    assert [offsets(entry.records) for entry in partitions] == [[0], [0]]


def test_an_error_in_one_partition_is_answered_at_once(wire: Wire) -> None:
    topic = wire.topic(2)
    started = time.monotonic()
    found = ask(wire, {(topic, 0): 0, (topic, 1): 7}, max_wait=10_000)
    assert time.monotonic() - started < 5
    assert [found[topic, index].error_code for index in range(2)] == [ErrorCode.none, ErrorCode.offset_out_of_range]


def test_a_waiting_fetch_hears_of_the_deletion_of_its_topic(wire: Wire, connect: Connect) -> None:
    topic = wire.topic()
    reader = connect()
    asked = reader.send("fetch", 11, **fetch_fields({(topic, 0): 0}, max_wait=10_000))
    assert reader.is_silent()
    started = time.monotonic()
    wire.delete_topic(topic)
    answer = reader.receive(asked).responses[0].partitions[0]
    assert time.monotonic() - started < 5
    # Apache Kafka says first that it does not lead the partition any more.
    assert answer.error_code in (ErrorCode.unknown_topic_or_partition, ErrorCode.not_leader_or_follower)


def test_answers_of_a_connection_come_in_the_order_of_the_requests(wire: Wire) -> None:
    topic = wire.topic()
    first = wire.send("fetch", 11, **fetch_fields({(topic, 0): 0}, max_wait=300))
    second = wire.send("list_offsets", 7, replica_id=-1, topics=[])
    third = wire.send("fetch", 11, **fetch_fields({(topic, 0): 0}))
    for request in (first, second, third):
        assert wire.receive(request) is not None


# -- sessions ------------------------------------------------------------------------------------------------------


def test_without_a_session_all_partitions_are_in_every_answer(wire: Wire) -> None:
    topic = wire.topic(3)
    answer = wire.ask("fetch", 11, **fetch_fields({(topic, index): 0 for index in range(3)}, session_epoch=-1))
    assert (answer.error_code, answer.session_id) == (ErrorCode.none, 0)
    assert len(answer.responses[0].partitions) == 3


def test_an_unknown_session_is_told(wire: Wire) -> None:
    answer = wire.ask("fetch", 11, **fetch_fields({(wire.topic(), 0): 0}, session_id=12345, session_epoch=1))
    assert (answer.error_code, answer.responses) == (ErrorCode.fetch_session_id_not_found, ())


# -- topic ids -----------------------------------------------------------------------------------------------------


def by_id(wire: Wire, topic_id: Any, version: int, partition: int = 0) -> Any:
    fields = fetch_fields({("", partition): 0})
    fields["topics"][0] |= {"topic_id": topic_id}
    return wire.ask("fetch", version, **fields)


@pytest.mark.parametrize("version", range(13, 18))
def test_topics_are_named_by_id_since_version_13(wire: Wire, version: int) -> None:
    topic = wire.topic()
    wire.append(topic, b"v")
    topic_id = wire.describe_topic(topic).topic_id
    [answer] = by_id(wire, topic_id, version).responses
    assert answer.topic_id == topic_id
    assert offsets(answer.partitions[0].records) == [0]


def test_an_unknown_topic_id_is_told(wire: Wire) -> None:
    from uuid import uuid4

    unknown = uuid4()
    [answer] = by_id(wire, unknown, 13).responses
    assert answer.topic_id == unknown
    assert answer.partitions[0].error_code is ErrorCode.unknown_topic_id


def test_the_id_of_a_topic_that_was_made_anew_is_unknown(wire: Wire) -> None:
    topic = wire.topic()
    old = wire.describe_topic(topic).topic_id
    wire.delete_topic(topic)
    new = wire.create_topic(topic)
    assert new != old
    errors = {topic_id: by_id(wire, topic_id, 13).responses[0].partitions[0].error_code for topic_id in (old, new)}
    assert errors == {old: ErrorCode.unknown_topic_id, new: ErrorCode.none}


def test_an_unknown_partition_of_a_known_id_is_told(wire: Wire) -> None:
    topic = wire.topic()
    answer = by_id(wire, wire.describe_topic(topic).topic_id, 13, partition=7)
    assert answer.responses[0].partitions[0].error_code is ErrorCode.unknown_topic_or_partition


def test_a_record_is_served_when_its_producer_has_heard_of_it(wire: Wire) -> None:
    topic = wire.topic()
    wire.append(topic, b"v")
    assert wire.values(topic) == [b"v"]
    until(lambda: wire.fetch(topic, 1).high_watermark == 1)
