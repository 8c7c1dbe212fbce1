"""OffsetForLeaderEpoch (API key 23), versions 2-4 (KIP-320)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.offset_for_leader_epoch.v4.request import OffsetForLeaderEpochRequest


def handle(request: OffsetForLeaderEpochRequest, call: Call) -> Response:
    """Tell where leader epochs end, so that consumers notice a truncated log."""
    return {
        "topics": [
            {"topic": topic.topic, "partitions": [_find(topic.topic, entry, call) for entry in topic.partitions]}
            for topic in request.topics
        ]
    }


def _find(name: str, entry: Any, call: Call) -> Response:
    may_replicate = call.allows(Operation.CLUSTER_ACTION, ResourceType.CLUSTER)
    if not may_replicate and not call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name):
        return _refused(entry, ErrorCode.topic_authorization_failed)
    log = call.broker.state.topics.partition(name, entry.partition)
    present = call.broker.state.leader_epoch
    if log is None:
        return _refused(entry, ErrorCode.unknown_topic_or_partition)
    if entry.current_leader_epoch not in (-1, present):
        is_old = entry.current_leader_epoch < present
        return _refused(entry, ErrorCode.fenced_leader_epoch if is_old else ErrorCode.unknown_leader_epoch)
    if entry.leader_epoch == present:
        epoch, end_offset = present, log.high_watermark
    elif entry.leader_epoch > present:
        epoch, end_offset = -1, -1
    else:
        epoch, end_offset = log.end_offset_of_epoch(entry.leader_epoch)
    return {"partition": entry.partition, "leader_epoch": epoch, "end_offset": end_offset}


def _refused(entry: Any, error: ErrorCode) -> Response:
    return {"partition": entry.partition, "error_code": error, "leader_epoch": -1, "end_offset": -1}
