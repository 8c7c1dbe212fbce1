"""DeleteRecords (API key 21), versions 0-2. Offset -1 stands for the high watermark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic

if TYPE_CHECKING:
    from kio.schema.delete_records.v2.request import DeleteRecordsRequest


def handle(request: DeleteRecordsRequest, call: Call) -> Response:
    """Move the start of logs, so that the records before it are gone."""
    topics = call.broker.state.topics
    return {
        "topics": [
            {
                "name": wanted.name,
                "partitions": [
                    _delete(topics.by_name(wanted.name), entry, call)
                    if call.allows(Operation.DELETE, ResourceType.TOPIC, wanted.name)
                    else _refused(entry.partition_index, ErrorCode.topic_authorization_failed)
                    for entry in wanted.partitions
                ],
            }
            for wanted in request.topics
        ]
    }


def _delete(topic: Topic | None, entry: Any, call: Call) -> Response:
    index = entry.partition_index
    partition = topic.partition(index) if topic else None
    if topic is None or partition is None:
        return _refused(index, ErrorCode.unknown_topic_or_partition)
    if not topic.is_deleted_by_retention:
        return _refused(index, ErrorCode.policy_violation)  # compaction alone decides what goes
    offset = partition.high_watermark if entry.offset == -1 else entry.offset
    if not 0 <= offset <= partition.high_watermark:
        return _refused(index, ErrorCode.offset_out_of_range)
    if offset > partition.log_start_offset:
        call.broker.move_log_start(topic, index, offset)
    return {"partition_index": index, "low_watermark": partition.log_start_offset}


def _refused(index: int, error: ErrorCode) -> Response:
    return {"partition_index": index, "low_watermark": -1, "error_code": error}
