"""The table of APIs: versions as the clients in use need them, and what is deliberately not there."""

import struct
from importlib import import_module
from typing import Any

import pytest

from tailrace.broker.dispatch import APIS, TABLE, Api
from tailrace.wire.messages import message_class

# What is advertised: key, first and last version. Produce is advertised from 0 and understood from 3.
ADVERTISED = {
    "produce": (0, 0, 11),
    "fetch": (1, 4, 17),
    "list_offsets": (2, 1, 9),
    "metadata": (3, 0, 12),
    "offset_commit": (8, 2, 9),
    "offset_fetch": (9, 1, 9),
    "find_coordinator": (10, 0, 6),
    "join_group": (11, 0, 9),
    "heartbeat": (12, 0, 4),
    "leave_group": (13, 0, 5),
    "sync_group": (14, 0, 5),
    "describe_groups": (15, 0, 5),
    "list_groups": (16, 0, 5),
    "api_versions": (18, 0, 4),
    "create_topics": (19, 2, 7),
    "delete_topics": (20, 1, 6),
    "delete_records": (21, 0, 2),
    "init_producer_id": (22, 0, 5),
    "offset_for_leader_epoch": (23, 2, 4),
    "add_partitions_to_txn": (24, 0, 3),
    "add_offsets_to_txn": (25, 0, 4),
    "end_txn": (26, 0, 4),
    "txn_offset_commit": (28, 0, 4),
    "describe_configs": (32, 1, 4),
    "alter_configs": (33, 0, 2),
    "describe_log_dirs": (35, 1, 4),
    "create_partitions": (37, 0, 3),
    "delete_groups": (42, 0, 2),
    "elect_leaders": (43, 0, 2),
    "incremental_alter_configs": (44, 0, 1),
    "alter_partition_reassignments": (45, 0, 0),
    "list_partition_reassignments": (46, 0, 0),
    "offset_delete": (47, 0, 0),
    "describe_cluster": (60, 0, 1),
    "describe_producers": (61, 0, 0),
    "describe_transactions": (65, 0, 0),
    "list_transactions": (66, 0, 1),
    "describe_topic_partitions": (75, 0, 0),
}
# Between brokers only, telemetry, share groups and Streams groups: a client that sees them would use them.
NOT_ADVERTISED = {4, 5, 6, 7, 27, 52, 56, 67, 71, 72, 76, 77, 78, 79, 88, 89}


@pytest.mark.parametrize("name", ADVERTISED)
def test_an_api_has_its_key_and_versions(name: str) -> None:
    key, first, last = ADVERTISED[name]
    api = APIS[key]
    assert (api.name, api.versions) == (name, range(first, last + 1))


def test_keys_ascend_and_nothing_is_advertised_that_clients_must_not_use() -> None:
    keys = [api.key for api in TABLE]
    assert keys == sorted(set(keys))
    assert not NOT_ADVERTISED & set(keys)


@pytest.mark.parametrize("api", TABLE, ids=lambda api: api.name)
def test_messages_exist_for_every_version_that_is_understood(api: Api) -> None:
    for version in api.decodes:
        for direction in ("request", "response"):
            schema = message_class(api.name, version, direction)
            assert schema.__api_key__ == api.key
    assert set(api.decodes) <= set(api.versions)


@pytest.mark.parametrize("api", TABLE, ids=lambda api: api.name)
def test_the_handler_says_its_key_and_versions(api: Api) -> None:
    text = import_module(f"tailrace.broker.handlers.{api.name}").__doc__ or ""
    first, last = api.decodes[0], api.decodes[-1]
    versions = f"versions {first}-{last}" if last > first else f"version {first}"
    assert f"(API key {api.key}), {versions}" in text


def versions_of(engine: Any) -> dict[int, tuple[int, int]]:
    from tests.tailrace.broker.test_connection import API_VERSIONS, connected, receive, request

    with connected(engine) as connection:
        connection.sendall(request(API_VERSIONS, 0, 1))
        response = receive(connection)
    rows = struct.iter_unpack(">hhh", response[10:])
    return {key: (first, last) for key, first, last in rows}


def test_the_table_is_what_clients_are_told(broker: Any) -> None:
    told = versions_of(broker)
    assert told == {api.key: (api.versions[0], api.versions[-1]) for api in TABLE}


@pytest.mark.kafka
def test_apache_kafka_knows_a_version_of_every_api_and_none_is_newer_than_its_own(kafka: Any) -> None:
    told = versions_of(kafka)
    for api in TABLE:
        first, last = told[api.key]
        assert first <= api.versions[-1] <= last
