"""ConsumerGroupDescribe (API key 69), versions 0-1 (KIP-848). Version 1 tells the kind of each member."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.consumer.group import ConsumerGroup, preferred_assignor
from tailrace.broker.groups.consumer.member import Member, TopicPartition
from tailrace.broker.handlers.consumer_group_heartbeat import by_topic
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topics

if TYPE_CHECKING:
    from kio.schema.consumer_group_describe.v1.request import ConsumerGroupDescribeRequest

CONSUMER_MEMBER = 1


def handle(request: ConsumerGroupDescribeRequest, call: Call) -> Response:
    """Describe consumer groups with their members, what these have and what they should have."""
    groups = [_describe(group_id, call) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for described in groups:
            operations = call.authorized_operations(ResourceType.GROUP, described["group_id"])
            described["authorized_operations"] = operations
    return {"groups": groups}


def _describe(group_id: str, call: Call) -> dict[str, Any]:
    state = call.broker.state
    if not call.allows(Operation.DESCRIBE, ResourceType.GROUP, group_id):
        return {"group_id": group_id, "error_code": ErrorCode.group_authorization_failed}
    group = state.consumer_groups.get(group_id)
    if group is None:
        is_classic = group_id in call.broker.groups.groups or group_id in state.offsets.committed
        message = f"Group {group_id} is not a consumer group." if is_classic else f"Group {group_id} not found."
        return {"group_id": group_id, "error_code": ErrorCode.group_id_not_found, "error_message": message}
    topics = call.broker.consumer_groups.subscribed_topics(group)
    if not all(call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name) for name in topics):
        message = "The group has described topic(s) that the client is not authorized to describe."
        return {"group_id": group_id, "error_code": ErrorCode.topic_authorization_failed, "error_message": message}
    return {
        "group_id": group_id,
        "group_state": group.state,
        "group_epoch": group.epoch,
        "assignment_epoch": group.assignment_epoch,
        "assignor_name": preferred_assignor(group.members.values()),
        "members": [_member(group, member, state.topics) for member in group.members.values()],
    }


def _member(group: ConsumerGroup, member: Member, topics: Topics) -> Response:
    target = group.target.get(member.member_id, ())
    return {
        "member_id": member.member_id,
        "instance_id": member.instance_id,
        "rack_id": member.rack_id,
        "member_epoch": member.epoch,
        "client_id": member.client_id,
        "client_host": member.client_host,
        "subscribed_topic_names": member.subscribed_topic_names,
        "subscribed_topic_regex": member.subscribed_topic_regex,
        "assignment": {"topic_partitions": _named(member.assigned, topics)},
        "target_assignment": {"topic_partitions": _named(target, topics)},
        "member_type": CONSUMER_MEMBER,
    }


def _named(partitions: Iterable[TopicPartition], topics: Topics) -> list[dict[str, Any]]:
    """Partitions by topic with its name, without topics that were deleted meanwhile."""
    named = ((topics.by_id(entry["topic_id"].bytes), entry) for entry in by_topic(partitions))
    return [entry | {"topic_name": topic.name} for topic, entry in named if topic is not None]
