"""ConsumerGroupHeartbeat (API key 68), versions 0-1 (KIP-848).

In version 1 members give themselves their ids, and may subscribe with a regular expression. Partitions come and go with
the answers; nothing waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.configs import HEARTBEAT_INTERVAL_MS
from tailrace.broker.groups.consumer.heartbeat import Heartbeat, Refused, problem
from tailrace.broker.groups.consumer.member import JOINING, TopicPartition
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.consumer_group_heartbeat.v1.request import ConsumerGroupHeartbeatRequest

MILLISECOND = timedelta(milliseconds=1)


def handle(request: ConsumerGroupHeartbeatRequest, call: Call) -> Response:
    """Take a member's heartbeat, and tell it what it should have."""
    error = _authorization_problem(request, call)
    if error is not ErrorCode.none:
        return {"error_code": error}
    heartbeat = _heartbeat(request, call)
    groups = call.broker.consumer_groups
    answer = problem(heartbeat, needs_member_id=call.api_version >= 1) or groups.heartbeat(heartbeat)
    if isinstance(answer, Refused):
        return {"error_code": answer.error, "error_message": answer.message}
    response: dict[str, Any] = {"member_id": answer.member_id, "member_epoch": answer.member_epoch}
    if answer.member_epoch >= JOINING:
        response["heartbeat_interval"] = groups.config(HEARTBEAT_INTERVAL_MS, request.group_id)
    if answer.assignment is not None:
        response["assignment"] = {"topic_partitions": by_topic(answer.assignment)}
    return response


def _authorization_problem(request: ConsumerGroupHeartbeatRequest, call: Call) -> ErrorCode:
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        return ErrorCode.group_authorization_failed
    may_know = (
        call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name) for name in request.subscribed_topic_names or ()
    )
    return ErrorCode.none if all(may_know) else ErrorCode.topic_authorization_failed


def _heartbeat(request: ConsumerGroupHeartbeatRequest, call: Call) -> Heartbeat:
    names = request.subscribed_topic_names
    owned = request.topic_partitions
    return Heartbeat(
        group_id=request.group_id,
        member_id=request.member_id,
        member_epoch=request.member_epoch,
        instance_id=request.instance_id,
        rack_id=request.rack_id,
        client_id=call.client_id,
        client_host=call.client_host,
        rebalance_timeout_ms=request.rebalance_timeout // MILLISECOND,
        subscribed_topic_names=None if names is None else tuple(names),
        subscribed_topic_regex=getattr(request, "subscribed_topic_regex", None),
        server_assignor=request.server_assignor,
        owned=None if owned is None else _partitions(owned),
        principal=call.authentication.principal,
    )


def _partitions(topics: Iterable[Any]) -> frozenset[TopicPartition]:
    return frozenset((topic.topic_id.bytes, index) for topic in topics if topic.topic_id for index in topic.partitions)


def by_topic(partitions: Iterable[TopicPartition]) -> list[dict[str, Any]]:
    """Partitions as the protocol tells them, grouped by topic."""
    topics: dict[bytes, list[int]] = {}
    for topic_id, index in sorted(partitions):
        topics.setdefault(topic_id, []).append(index)
    return [{"topic_id": UUID(bytes=topic_id), "partitions": indexes} for topic_id, indexes in topics.items()]
