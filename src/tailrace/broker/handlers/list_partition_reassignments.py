"""ListPartitionReassignments (API key 46), version 0 (KIP-455): on one broker there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.list_partition_reassignments.v0.request import ListPartitionReassignmentsRequest


def handle(request: ListPartitionReassignmentsRequest, call: Call) -> Response:
    """List nothing; as in Kafka, who must not know is given back what was asked for."""
    if call.allows(Operation.DESCRIBE, ResourceType.CLUSTER):
        return {"topics": ()}
    asked = [
        {"name": topic.name, "partitions": [{"partition_index": index} for index in topic.partition_indexes]}
        for topic in request.topics or ()
    ]
    return {"error_code": ErrorCode.cluster_authorization_failed, "topics": asked}
