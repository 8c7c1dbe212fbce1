"""CreatePartitions (API key 37), versions 0-3."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import PartitionsAdded
from tailrace.broker.handlers.create_topics import PARTITIONS_MAX
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.create_partitions.v3.request import CreatePartitionsRequest


def handle(request: CreatePartitionsRequest, call: Call) -> Response:
    """Add partitions to topics, up to the count that is asked for."""
    names = Counter(wanted.name for wanted in request.topics)
    repeated = [{"name": name, "error_code": ErrorCode.invalid_request} for name, count in names.items() if count > 1]
    single = [wanted for wanted in request.topics if names[wanted.name] == 1]
    return {"results": repeated + [_grow(wanted, call, validate_only=request.validate_only) for wanted in single]}


def _grow(wanted: Any, call: Call, *, validate_only: bool) -> Response:
    if not call.allows(Operation.ALTER, ResourceType.TOPIC, wanted.name):
        return {"name": wanted.name, "error_code": ErrorCode.topic_authorization_failed}
    topic = call.broker.state.topics.by_name(wanted.name)
    if topic is None:
        return {"name": wanted.name, "error_code": ErrorCode.unknown_topic_or_partition}
    present = len(topic.partitions)
    if not present < wanted.count <= PARTITIONS_MAX:
        message = f"topic {wanted.name} has {present} partitions, expected a count above that, got {wanted.count}"
        return {"name": wanted.name, "error_code": ErrorCode.invalid_partitions, "error_message": message}
    wrong = _assignment_problem(wanted.assignments, wanted.count - present, call.broker.config.node_id)
    if wrong is not None:
        return {"name": wanted.name, "error_code": ErrorCode.invalid_replica_assignment, "error_message": wrong}
    if not validate_only:
        call.broker.record(events=[PartitionsAdded(topic.id, wanted.count)])
    return {"name": wanted.name}


def _assignment_problem(assignments: Any, count: int, node_id: int) -> str | None:
    if assignments is None:
        return None
    if len(assignments) != count:
        return f"{len(assignments)} assignments for {count} new partitions"
    if any(list(assignment.broker_ids) != [node_id] for assignment in assignments):
        return f"each new partition must be assigned to broker {node_id} alone"
    return None
