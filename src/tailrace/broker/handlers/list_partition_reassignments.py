"""ListPartitionReassignments (API key 46), version 0 (KIP-455): on one broker there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.list_partition_reassignments.v0.request import ListPartitionReassignmentsRequest


def handle(request: ListPartitionReassignmentsRequest, call: Call) -> Response:
    """List nothing."""
    return {"topics": []}
