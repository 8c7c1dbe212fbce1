"""Responses: our encoder against the reader of kio."""

from typing import Any
from uuid import UUID

import pytest
from kio.serial import entity_reader

from tailrace.broker.dispatch import TABLE, Api
from tailrace.wire.messages import encode_response, message_class

EDGES = [(api, version) for api in TABLE for version in sorted({api.decodes[0], api.decodes[-1]})]


def decode(api: str, version: int, response: dict[str, Any]) -> Any:
    data = b"".join(encode_response(api, version, 7, response))
    schema = message_class(api, version, "response")
    start = 8 + (schema.__header_schema__.__version__ >= 1)
    decoded, size = entity_reader(schema)(data, start)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert int.from_bytes(data[4:8], "big") == 7
    assert start + size == len(data)
    return decoded


@pytest.mark.parametrize(("api", "version"), EDGES, ids=lambda value: getattr(value, "name", value))
def test_the_oldest_and_newest_versions_can_be_encoded_with_nothing_given(api: Api, version: int) -> None:
    decode(api.name, version, {})


@pytest.mark.parametrize("version", [0, 1, 4, 7, 9, 10, 12])
def test_fields_that_a_version_does_not_have_are_left_out(version: int) -> None:
    topic_id = UUID(int=9)
    partition = {"partition_index": 3, "leader_id": 1, "leader_epoch": 4, "replica_nodes": (1,), "isr_nodes": (1,)}
    decoded = decode(
        "metadata",
        version,
        {
            "brokers": [{"node_id": 1, "host": "h", "port": 9092}],
            "cluster_id": "c",
            "controller_id": 1,
            "topics": [{"name": "t", "topic_id": topic_id, "partitions": [partition]}],
        },
    )
    [topic] = decoded.topics
    assert topic.name == "t"
    assert topic.partitions[0].partition_index == 3
    if version >= 10:
        assert topic.topic_id == topic_id


@pytest.mark.parametrize("version", [4, 12, 17])
def test_nulls_bytes_and_tagged_fields(version: int) -> None:
    partition = {"partition_index": 1, "records": b"abc", "current_leader": {"leader_id": 5, "leader_epoch": 6}}
    decoded = decode("fetch", version, {"responses": [{"partitions": [partition]}]})
    found = decoded.responses[0].partitions[0]
    assert found.records == b"abc"
    assert found.aborted_transactions is None
    if version >= 12:
        assert (found.current_leader.leader_id, found.current_leader.leader_epoch) == (5, 6)


def test_times_are_milliseconds() -> None:
    decoded = decode("describe_transactions", 0, {"transaction_states": [{"transaction_timeout": 1500}]})
    assert decoded.transaction_states[0].transaction_timeout.total_seconds() == 1.5
