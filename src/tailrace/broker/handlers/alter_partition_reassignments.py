"""AlterPartitionReassignments (API key 45), version 0 (KIP-455): a partition can only be where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.alter_partition_reassignments.v0.request import AlterPartitionReassignmentsRequest


def handle(request: AlterPartitionReassignmentsRequest, call: Call) -> Response:
    """Accept what changes nothing, and refuse the rest."""
    may_alter = call.allows(Operation.ALTER, ResourceType.CLUSTER)
    return {
        "error_code": ErrorCode.none if may_alter else ErrorCode.cluster_authorization_failed,
        "responses": [
            {"name": topic.name, "partitions": [_answer(topic.name, entry, call) for entry in topic.partitions]}
            for topic in request.topics
        ],
    }


def _answer(name: str, entry: Any, call: Call) -> Response:
    error, message = _problem(name, entry, call)
    return {"partition_index": entry.partition_index, "error_code": error, "error_message": message}


def _problem(name: str, entry: Any, call: Call) -> tuple[ErrorCode, str | None]:
    if not call.allows(Operation.ALTER, ResourceType.CLUSTER):
        return ErrorCode.cluster_authorization_failed, None
    node = call.broker.config.node_id
    if call.broker.state.topics.partition(name, entry.partition_index) is None:
        return ErrorCode.unknown_topic_or_partition, f"there is no partition {name}:{entry.partition_index}"
    if entry.replicas is None:
        return ErrorCode.no_reassignment_in_progress, None
    if list(entry.replicas) != [node]:
        message = f"replicas {list(entry.replicas)}, expected [{node}]: there is one broker"
        return ErrorCode.invalid_replica_assignment, message
    return ErrorCode.none, None
