"""ElectLeaders (API key 43), versions 0-2: one broker leads everything already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.elect_leaders.v2.request import ElectLeadersRequest

PREFERRED, UNCLEAN = 0, 1


def handle(request: ElectLeadersRequest, call: Call) -> Response:
    """Answer that no election is needed, or that a partition does not exist."""
    topics = call.broker.state.topics
    if request.topic_partitions is None:
        wanted: list[tuple[str, Sequence[int]]] = [(topic.name, range(len(topic.partitions))) for topic in topics]
    else:
        wanted = [(entry.topic, entry.partitions) for entry in request.topic_partitions]
    error = ErrorCode.none
    if not call.allows(Operation.ALTER, ResourceType.CLUSTER):
        error = ErrorCode.cluster_authorization_failed
        wanted = [] if request.topic_partitions is None else wanted
    elif getattr(request, "election_type", PREFERRED) not in (PREFERRED, UNCLEAN):
        error = ErrorCode.invalid_request
    return {
        "error_code": error,
        "replica_election_results": [
            {
                "topic": name,
                "partition_result": [
                    {"partition_id": index, "error_code": error or _outcome(topics.partition(name, index))}
                    for index in partitions
                ],
            }
            for name, partitions in wanted
        ],
    }


def _outcome(partition: PartitionLog | None) -> ErrorCode:
    return ErrorCode.unknown_topic_or_partition if partition is None else ErrorCode.election_not_needed
