"""ListOffsets (API key 2), versions 1-9.

Special timestamps: -1 latest, -2 earliest, -3 the record with the greatest timestamp (KIP-734), -4 earliest local
(KIP-405), -5 latest tiered (KIP-1005), of which there is none.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.log.partition import FoundOffset, PartitionLog
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.list_offsets.v9.request import ListOffsetsRequest

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED = -1, -2, -3, -4, -5
READ_COMMITTED = 1
NEVER = 1 << 15

SINCE = {LATEST: 1, EARLIEST: 1, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9}
"""Special timestamps by the version that introduced them."""


def handle(request: ListOffsetsRequest, call: Call) -> Response:
    """Find offsets by timestamp."""
    isolation_level = getattr(request, "isolation_level", 0)
    return {
        "topics": [
            {"name": topic.name, "partitions": _find_all(topic, isolation_level, call)} for topic in request.topics
        ]
    }


def _find_all(topic: Any, isolation_level: int, call: Call) -> list[Response]:
    if not call.allows(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
        return [_refused(entry, ErrorCode.topic_authorization_failed) for entry in topic.partitions]
    times = Counter(entry.partition_index for entry in topic.partitions)
    return [
        _find(topic.name, entry, isolation_level, call)
        if times[index] == 1
        else _refused(entry, ErrorCode.invalid_request)
        for index, entry in {entry.partition_index: entry for entry in topic.partitions}.items()
    ]


def _find(name: str, entry: Any, isolation_level: int, call: Call) -> Response:
    log = call.broker.state.topics.partition(name, entry.partition_index)
    epoch = call.broker.state.leader_epoch
    if log is None:
        return _refused(entry, ErrorCode.unknown_topic_or_partition)
    if entry.timestamp < 0 and call.api_version < SINCE.get(entry.timestamp, NEVER):
        return _refused(entry, ErrorCode.unsupported_version)
    if getattr(entry, "current_leader_epoch", -1) not in (-1, epoch):
        is_old = entry.current_leader_epoch < epoch
        return _refused(entry, ErrorCode.fenced_leader_epoch if is_old else ErrorCode.unknown_leader_epoch)
    limit = log.last_stable_offset if isolation_level == READ_COMMITTED else log.high_watermark
    found = _search(log, entry.timestamp, limit) or FoundOffset(-1, -1)
    return {
        "partition_index": entry.partition_index,
        "timestamp": found.timestamp,
        "offset": found.offset,
        "leader_epoch": epoch if found.offset >= 0 else -1,
    }


def _search(log: PartitionLog, timestamp: int, limit: int) -> FoundOffset | None:
    if timestamp == LATEST:
        return FoundOffset(limit, -1)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return FoundOffset(log.log_start_offset, -1)
    if timestamp == LATEST_TIERED:
        return None
    if timestamp == MAX_TIMESTAMP:
        return log.find_max_timestamp(limit)
    return log.find_timestamp(timestamp, limit)


def _refused(entry: Any, error: ErrorCode) -> Response:
    return {
        "partition_index": entry.partition_index,
        "error_code": error,
        "timestamp": -1,
        "offset": -1,
        "leader_epoch": -1,
    }
