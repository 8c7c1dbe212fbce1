"""OffsetDelete (API key 47), version 0 (KIP-496)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import OffsetsDeleted
from tailrace.broker.groups.subscription import subscribed_topics
from tailrace.broker.handlers.offset_commit import answer_partitions
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.offset_delete.v0.request import OffsetDeleteRequest


def handle(request: OffsetDeleteRequest, call: Call) -> Response:
    """Forget offsets of partitions whose topics no member consumes."""
    if not call.allows(Operation.DELETE, ResourceType.GROUP, request.group_id):
        return {"error_code": ErrorCode.group_authorization_failed}
    broker = call.broker
    if not request.group_id:
        return {"error_code": ErrorCode.invalid_group_id}
    group = broker.groups.groups.get(request.group_id)
    consumer_group = broker.state.consumer_groups.get(request.group_id)
    if group is None and consumer_group is None and request.group_id not in broker.state.offsets.committed:
        return {"error_code": ErrorCode.group_id_not_found}
    subscribed: set[str] = set()
    if consumer_group is not None:
        subscribed = broker.consumer_groups.subscribed_topics(consumer_group)
    elif group is not None and group.members:
        if group.protocol_type != "consumer":
            return {"error_code": ErrorCode.non_empty_group}
        subscribed = subscribed_topics(group)
    wanted: list[tuple[str, int]] = [
        (topic.name, entry.partition_index) for topic in request.topics for entry in topic.partitions
    ]
    errors = {key: _problem(key, subscribed, call) for key in wanted}
    deleted = [key for key, error in errors.items() if error is ErrorCode.none]
    if deleted:
        broker.record(events=[OffsetsDeleted(request.group_id, deleted)])
    return answer_partitions(request, errors)


def _problem(key: tuple[str, int], subscribed: set[str], call: Call) -> ErrorCode:
    if not call.allows(Operation.READ, ResourceType.TOPIC, key[0]):
        return ErrorCode.topic_authorization_failed
    if key[0] in subscribed:
        return ErrorCode.group_subscribed_to_topic
    if call.broker.state.topics.partition(*key) is None:
        return ErrorCode.unknown_topic_or_partition
    return ErrorCode.none
