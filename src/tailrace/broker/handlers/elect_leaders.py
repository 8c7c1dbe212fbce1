"""ElectLeaders (API key 43), versions 0-2: one broker leads everything already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.elect_leaders.v2.request import ElectLeadersRequest


def handle(request: ElectLeadersRequest, call: Call) -> Response:
    """Answer that no election is needed, or that a partition does not exist."""
    topics = call.broker.state.topics
    if request.topic_partitions is None:
        wanted: list[tuple[str, Sequence[int]]] = [(topic.name, range(len(topic.partitions))) for topic in topics]
    else:
        wanted = [(entry.topic, entry.partitions) for entry in request.topic_partitions]
    may_elect = call.allows(Operation.ALTER, ResourceType.CLUSTER)
    error = ErrorCode.election_not_needed if may_elect else ErrorCode.cluster_authorization_failed
    return {
        "error_code": ErrorCode.none if may_elect else error,
        "replica_election_results": [
            {
                "topic": name,
                "partition_result": [
                    {
                        "partition_id": index,
                        "error_code": ErrorCode.unknown_topic_or_partition
                        if may_elect and topics.partition(name, index) is None
                        else error,
                    }
                    for index in partitions
                ],
            }
            for name, partitions in wanted
            if may_elect or request.topic_partitions is not None
        ],
    }
