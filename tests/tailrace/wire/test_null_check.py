"""Null arrays are found wherever a definition does not allow them."""

import struct

import pytest

from tailrace.wire.messages import decode_request
from tailrace.wire.null_check import UnexpectedNull


def decode(api: str, version: int, body: bytes) -> None:
    decode_request(api, version, memoryview(body), 0)


def test_a_null_array_is_unexpected() -> None:
    with pytest.raises(UnexpectedNull, match="topic_data of ProduceRequest"):
        decode("produce", 3, struct.pack(">hhii", -1, 1, 0, -1))


def test_a_null_array_in_an_array_is_unexpected() -> None:
    with pytest.raises(UnexpectedNull, match="partition_data of TopicProduceData"):
        decode("produce", 3, struct.pack(">hhiih1si", -1, 1, 0, 1, 1, b"t", -1))


def test_null_is_allowed_where_it_means_something() -> None:
    decode("metadata", 1, struct.pack(">i", -1))
