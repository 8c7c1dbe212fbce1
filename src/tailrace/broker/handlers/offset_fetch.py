"""OffsetFetch (API key 9), versions 1-9.

Version 7 adds require_stable (KIP-447), version 8 asks for many groups at once (KIP-709), in version 9 a member of a
consumer group tells its epoch (KIP-848). A group or partition without an offset is no error: its offset is -1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.consumer.commits import fetch_error
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.offset_fetch.v9.request import OffsetFetchRequest


def handle(request: OffsetFetchRequest, call: Call) -> Response:
    """Give committed offsets."""
    require_stable = getattr(request, "require_stable", False)
    if call.api_version >= 8:
        return {"groups": [_fetch(wanted, call, require_stable=require_stable) for wanted in request.groups]}
    older: Any = request
    return _group(older.group_id, older.topics, call, require_stable=require_stable)


def _group(group_id: str, wanted: Any, call: Call, *, require_stable: bool) -> dict[str, Any]:
    if call.allows(Operation.DESCRIBE, ResourceType.GROUP, group_id):
        return {"topics": _topics(group_id, wanted, call, require_stable=require_stable)}
    refused = {"committed_offset": -1, "metadata": "", "error_code": ErrorCode.group_authorization_failed}
    return {
        "error_code": ErrorCode.group_authorization_failed,
        # Version 1 has no error of the whole group.
        "topics": [
            {
                "name": topic.name,
                "partitions": [{"partition_index": index} | refused for index in topic.partition_indexes],
            }
            for topic in (wanted or ())
            if call.api_version == 1
        ],
    }


def _fetch(wanted: Any, call: Call, *, require_stable: bool) -> Response:
    """One of many groups; a member of a consumer group has to be in its epoch."""
    named = {"group_id": wanted.group_id}
    group = call.broker.state.consumer_groups.get(wanted.group_id)
    if group is not None and call.allows(Operation.DESCRIBE, ResourceType.GROUP, wanted.group_id):
        error = fetch_error(group, getattr(wanted, "member_id", None), getattr(wanted, "member_epoch", -1))
        if error is not ErrorCode.none:
            return named | {"error_code": error}
    return named | _group(wanted.group_id, wanted.topics, call, require_stable=require_stable)


def _topics(group_id: str, wanted: Any, call: Call, *, require_stable: bool) -> list[Response]:
    if wanted is None:
        committed: dict[str, list[int]] = {}
        for name, index in call.broker.state.offsets.committed.get(group_id, {}):
            if call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name):
                committed.setdefault(name, []).append(index)
        topics: Iterable[tuple[str, Iterable[int]]] = committed.items()
    else:
        topics = [(topic.name, topic.partition_indexes) for topic in wanted]
    return [
        {
            "name": name,
            "partitions": [
                _partition(group_id, (name, index), call, require_stable=require_stable) for index in indexes
            ],
        }
        for name, indexes in topics
    ]


def _partition(group_id: str, partition: tuple[str, int], call: Call, *, require_stable: bool) -> Response:
    offsets = call.broker.state.offsets
    nothing = {"partition_index": partition[1], "committed_offset": -1, "metadata": ""}
    if not call.allows(Operation.DESCRIBE, ResourceType.TOPIC, partition[0]):
        return nothing | {"error_code": ErrorCode.topic_authorization_failed}
    if require_stable and offsets.is_unstable(group_id, partition):
        return nothing | {"error_code": ErrorCode.unstable_offset_commit}
    row = offsets.committed.get(group_id, {}).get(partition)
    if row is None:
        return nothing
    return {
        "partition_index": partition[1],
        "committed_offset": row[2],
        "committed_leader_epoch": row[3],
        "metadata": row[4],
    }
