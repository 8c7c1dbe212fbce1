"""Arrays that claim what they cannot be are found before anybody allocates memory for them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.broker.dispatch import TABLE
from tailrace.wire.array_check import ITEMS_MAX, MalformedArray, check_arrays
from tailrace.wire.encoding import classify, struct_encoder
from tailrace.wire.messages import decode_request, message_class
from tailrace.wire.varint import unsigned_varint
from tests.tailrace.broker.fuzz.strategies import requests

VERSIONS = [(api.name, version) for api in TABLE for version in api.decodes]


def decode(api: str, version: int, body: bytes) -> Any:
    return decode_request(api, version, memoryview(body), 0)


def test_a_null_array_is_malformed() -> None:
    with pytest.raises(MalformedArray, match="topics is null"):
        decode("delete_records", 0, struct.pack(">i", -1))
    with pytest.raises(MalformedArray, match="partitions is null"):
        decode("delete_records", 0, struct.pack(">ih1si", 1, 1, b"t", -1))


def test_null_is_allowed_where_it_means_something() -> None:
    assert decode("metadata", 1, struct.pack(">i", -1)).topics is None


@pytest.mark.parametrize("count", [2**31 - 1, 2**40, 2**63, 5])
def test_more_items_than_bytes_are_malformed(count: int) -> None:
    with pytest.raises(MalformedArray, match="claims"):
        decode("metadata", 12, b"\0" + unsigned_varint(count + 1) + b"\0\0\0\0")


def test_more_items_than_anybody_needs_are_malformed() -> None:
    names = struct.pack(">i", ITEMS_MAX + 1) + bytes(2 * (ITEMS_MAX + 1))
    with pytest.raises(MalformedArray, match="1,000,001 items"):
        decode("delete_groups", 0, names)
    assert len(decode("delete_groups", 0, struct.pack(">i", 1000) + bytes(2000)).groups_names) == 1000


def arrays_in_tags(schema: type[Any], in_tag: bool = False) -> Iterator[str]:
    for field in fields(schema):
        shape, item = classify(field.type)
        tagged = in_tag or "tag" in field.metadata
        if "[]" in shape and tagged:
            yield field.name
        if is_dataclass(item):
            yield from arrays_in_tags(item, tagged)


def test_tagged_fields_have_no_arrays() -> None:
    """They are skipped without being looked at."""
    for api, version in VERSIONS:
        assert not list(arrays_in_tags(message_class(api, version, "request"))), f"{api} {version}"


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_it_lets_every_valid_request_pass(data: st.DataObject) -> None:
    api, version = data.draw(st.sampled_from(VERSIONS))
    schema = message_class(api, version, "request")
    parts: list[bytes] = []
    struct_encoder(schema)(data.draw(requests(schema, "topic")), parts)
    check_arrays(schema)(memoryview(b"".join(parts)), 0)
