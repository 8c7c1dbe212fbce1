"""The one table of APIs: key, versions, handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, HandlerResult, Response
from tailrace.broker.handlers import (
    add_offsets_to_txn,
    add_partitions_to_txn,
    alter_configs,
    alter_partition_reassignments,
    alter_user_scram_credentials,
    api_versions,
    consumer_group_describe,
    consumer_group_heartbeat,
    create_acls,
    create_partitions,
    create_topics,
    delete_acls,
    delete_groups,
    delete_records,
    delete_topics,
    describe_acls,
    describe_client_quotas,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_producers,
    describe_topic_partitions,
    describe_transactions,
    describe_user_scram_credentials,
    elect_leaders,
    end_txn,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_groups,
    list_offsets,
    list_partition_reassignments,
    list_transactions,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
    sasl_authenticate,
    sasl_handshake,
    sync_group,
    txn_offset_commit,
)

Handle = Callable[[Any, Call], HandlerResult]


class Api(NamedTuple):
    """One row of the table; a reply that `waits` is sent when what was recorded before it is durable."""

    key: int
    name: str
    versions: range
    decodes: range
    handle: Handle
    waits: bool


def _api(key: int, first: int, last: int, module: Any, *, decodes_from: int | None = None, waits: bool = True) -> Api:
    name = module.__name__.rpartition(".")[2]
    decodes = range(first if decodes_from is None else decodes_from, last + 1)
    return Api(key, name, range(first, last + 1), decodes, module.handle, waits)


# Produce is advertised from version 0, because older librdkafka takes a higher minimum for a broker that knows no
# compression (KAFKA-18659). Transactions are those before KIP-890's second part: AddPartitionsToTxn 3, EndTxn 4.
TABLE = (
    _api(0, 0, 11, produce, decodes_from=3),
    _api(1, 4, 17, fetch, waits=False),
    _api(2, 1, 9, list_offsets, waits=False),
    _api(3, 0, 12, metadata),
    _api(8, 2, 9, offset_commit),
    _api(9, 1, 9, offset_fetch),
    _api(10, 0, 6, find_coordinator, waits=False),
    _api(11, 0, 9, join_group),
    _api(12, 0, 4, heartbeat, waits=False),
    _api(13, 0, 5, leave_group),
    _api(14, 0, 5, sync_group),
    _api(15, 0, 5, describe_groups),
    _api(16, 0, 5, list_groups),
    _api(17, 0, 1, sasl_handshake, waits=False),
    _api(18, 0, 4, api_versions, waits=False),
    _api(19, 2, 7, create_topics),
    _api(20, 1, 6, delete_topics),
    _api(21, 0, 2, delete_records),
    _api(22, 0, 5, init_producer_id),
    _api(23, 2, 4, offset_for_leader_epoch, waits=False),
    _api(24, 0, 3, add_partitions_to_txn, waits=False),
    _api(25, 0, 4, add_offsets_to_txn, waits=False),
    _api(26, 0, 4, end_txn),
    _api(28, 0, 4, txn_offset_commit),
    _api(29, 1, 3, describe_acls),
    _api(30, 1, 3, create_acls),
    _api(31, 1, 3, delete_acls),
    _api(32, 1, 4, describe_configs),
    _api(33, 0, 2, alter_configs),
    _api(35, 1, 4, describe_log_dirs),
    _api(36, 0, 2, sasl_authenticate, waits=False),
    _api(37, 0, 3, create_partitions),
    _api(42, 0, 2, delete_groups),
    _api(43, 0, 2, elect_leaders),
    _api(44, 0, 1, incremental_alter_configs),
    _api(45, 0, 0, alter_partition_reassignments),
    _api(46, 0, 0, list_partition_reassignments),
    _api(47, 0, 0, offset_delete),
    _api(48, 0, 1, describe_client_quotas),
    _api(50, 0, 0, describe_user_scram_credentials),
    _api(51, 0, 0, alter_user_scram_credentials),
    _api(60, 0, 1, describe_cluster),
    _api(61, 0, 0, describe_producers),
    _api(65, 0, 0, describe_transactions),
    _api(66, 0, 1, list_transactions),
    _api(68, 0, 1, consumer_group_heartbeat),
    _api(69, 0, 1, consumer_group_describe),
    _api(75, 0, 0, describe_topic_partitions),
)

APIS: Mapping[int, Api] = {api.key: api for api in TABLE}


def supported_versions() -> list[Response]:
    """The table as ApiVersions tells it."""
    return [{"api_key": api.key, "min_version": api.versions[0], "max_version": api.versions[-1]} for api in TABLE]


def unsupported_version_response() -> Response:
    """The answer to a version of ApiVersions that is too new, in version 0."""
    return {"error_code": ErrorCode.unsupported_version, "api_keys": supported_versions()}
