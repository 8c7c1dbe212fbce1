"""Produce requests read by hand are what kio reads."""

import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.serial import entity_reader

from tailrace.wire.array_check import ITEMS_MAX
from tailrace.wire.encoding import Parts, struct_encoder
from tailrace.wire.messages import message_class
from tailrace.wire.produce_request import MalformedProduceRequest, ProduceRequest, read_produce_request
from tailrace.wire.varint import unsigned_varint

VERSIONS = range(3, 12)

partitions = st.lists(
    st.fixed_dictionaries({"index": st.integers(-(2**31), 2**31 - 1), "records": st.binary(max_size=300)}), max_size=3
)
requests = st.fixed_dictionaries(
    {
        "transactional_id": st.none() | st.text(max_size=200),
        "acks": st.integers(-1, 1),
        "timeout": st.integers(0, 2**31 - 1),
        "topic_data": st.lists(
            st.fixed_dictionaries({"name": st.text(max_size=200), "partition_data": partitions}), max_size=3
        ),
    }
)


def encode(version: int, request: Any) -> bytes:
    parts: Parts = []
    struct_encoder(message_class("produce", version, "request"))(request, parts)
    return b"".join(parts)


def plain(request: Any) -> tuple[Any, ...]:
    topics = [
        (str(topic.name), [(data.index, bytes(data.records or b"")) for data in topic.partition_data])
        for topic in request.topic_data
    ]
    return request.transactional_id, request.acks, topics


def read(version: int, data: bytes, start: int = 0) -> ProduceRequest:
    return read_produce_request(version, memoryview(data), start)


@given(st.sampled_from(VERSIONS), requests)
def test_it_is_what_kio_reads(version: int, request: Any) -> None:
    data = encode(version, request)
    expected, _ = entity_reader(message_class("produce", version, "request"))(data, 0)
    assert plain(read(version, b"???" + data, 3)) == plain(expected)


@given(st.sampled_from(VERSIONS), requests, st.data())
def test_a_part_of_a_request_is_none(version: int, request: Any, draw: st.DataObject) -> None:
    data = encode(version, request)
    cut = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises((MalformedProduceRequest, IndexError, ValueError, struct.error)):
        read(version, data[:cut])


@given(st.sampled_from(VERSIONS), requests, st.data())
def test_damage_is_refused_or_gives_something(version: int, request: Any, draw: st.DataObject) -> None:
    data = bytearray(encode(version, request))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with suppress(Exception):
        sizes = [
            len(each.records or b"") for topic in read(version, bytes(data)).topic_data for each in topic.partition_data
        ]
        assert sum(sizes) <= len(data)


@pytest.mark.parametrize("version", [3, 9])
@pytest.mark.parametrize("field", ["transactional_id", "topics", "name", "partitions", "records"])
def test_what_is_announced_must_be_there(version: int, field: str) -> None:
    request = {
        "transactional_id": "t" * 50,
        "acks": -1,
        "timeout": 1,
        "topic_data": [{"name": "n" * 51, "partition_data": [{"index": 7, "records": b"r" * 52}]}],
    }
    data = encode(version, request)
    sizes = {"transactional_id": 50, "name": 51, "records": 52, "topics": 1, "partitions": 1}
    places = {
        "transactional_id": data.index(b"t" * 50),
        "topics": data.index(b"n") - (2 if version < 9 else 1),
        "name": data.index(b"n"),
        "partitions": data.index(b"n" * 51) + 51 + (4 if version < 9 else 1),
        "records": data.index(b"r"),
    }
    width = {"transactional_id": 2, "name": 2}.get(field, 4) if version < 9 else 1
    place = places[field] - width
    more = sizes[field] + 1000
    announced = more.to_bytes(width, "big") if version < 9 else bytes([(more + 1) & 0x7F | 0x80, (more + 1) >> 7])
    with pytest.raises(MalformedProduceRequest):
        read(version, data[:place] + announced + data[place + width :])


@pytest.mark.parametrize("version", [3, 9])
def test_more_topics_than_anybody_needs_are_refused(version: int) -> None:
    count = ITEMS_MAX + 1
    announced = count.to_bytes(4, "big") if version < 9 else unsigned_varint(count + 1)
    start = (b"\xff\xff" if version < 9 else b"\0") + b"\xff\xff" + bytes(4)
    with pytest.raises(MalformedProduceRequest, match="1,000,001 topics"):
        read(version, start + announced + bytes(7 * count))
