"""Metadata (API key 3), versions 0-12.

Version 0 asks for all topics with an empty list, later ones with null; version 12 may name topics by id (KIP-516).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.create_topics import create_with_defaults
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic, is_legal_name

if TYPE_CHECKING:
    from kio.schema.metadata.v12.request import MetadataRequest


TOPIC_IDS_SINCE = 12


def handle(request: MetadataRequest, call: Call) -> Response:
    """Describe the broker and topics."""
    broker = call.broker
    if request.topics is None or (call.api_version == 0 and not request.topics):
        topics = [_describe(topic, call) for topic in broker.state.topics if _may_see(topic.name, call)]
    else:
        may_create = getattr(request, "allow_auto_topic_creation", True)
        unique = {(wanted.name, getattr(wanted, "topic_id", None)): wanted for wanted in request.topics}
        topics = [_describe_wanted(wanted, call, may_create=may_create) for wanted in unique.values()]
    if getattr(request, "include_topic_authorized_operations", False):
        topics = [_with_operations(topic, call) for topic in topics]
    response = {
        "brokers": [{"node_id": broker.config.node_id, "host": broker.advertised_host, "port": broker.port}],
        "cluster_id": broker.state.cluster_id,
        "controller_id": broker.config.node_id,
        "topics": topics,
    }
    if getattr(request, "include_cluster_authorized_operations", False):
        response["cluster_authorized_operations"] = cluster_operations(call)
    return response


def cluster_operations(call: Call) -> int:
    """What the client may do to the cluster, nothing unless it may see it."""
    is_seen = call.allows(Operation.DESCRIBE, ResourceType.CLUSTER)
    return call.authorized_operations(ResourceType.CLUSTER) if is_seen else 0


def _with_operations(topic: Response, call: Call) -> Response:
    if topic.get("error_code", ErrorCode.none) is not ErrorCode.none:
        return topic
    return {**topic, "topic_authorized_operations": call.authorized_operations(ResourceType.TOPIC, topic["name"])}


def _may_see(name: str, call: Call) -> bool:
    return call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name)


def _may_create(name: str, call: Call) -> bool:
    return call.allows(Operation.CREATE, ResourceType.CLUSTER) or call.allows(
        Operation.CREATE, ResourceType.TOPIC, name
    )


def _describe_wanted(wanted: Any, call: Call, *, may_create: bool) -> Response:
    topics = call.broker.state.topics
    topic_id = getattr(wanted, "topic_id", None)
    if call.api_version < TOPIC_IDS_SINCE and (wanted.name is None or topic_id):
        return {"error_code": ErrorCode.invalid_request, "name": wanted.name or ""}
    if wanted.name is None:
        topic = topics.by_id(topic_id.bytes) if topic_id else None
        if topic is None or not _may_see(topic.name, call):
            return {"error_code": ErrorCode.unknown_topic_id, "name": None, "topic_id": topic_id}
        return _describe(topic, call)
    if not _may_see(wanted.name, call):
        return {"error_code": ErrorCode.topic_authorization_failed, "name": wanted.name}
    topic = topics.by_name(wanted.name)
    if topic is not None:
        return _describe(topic, call)
    if not is_legal_name(wanted.name):
        return {"error_code": ErrorCode.invalid_topic_exception, "name": wanted.name}
    if may_create and call.broker.config.auto_create_topics_enable:
        if not _may_create(wanted.name, call):
            return {"error_code": ErrorCode.topic_authorization_failed, "name": wanted.name}
        return _describe(create_with_defaults(call.broker, wanted.name), call)
    return {"error_code": ErrorCode.unknown_topic_or_partition, "name": wanted.name}


def _describe(topic: Topic, call: Call) -> Response:
    return {
        "name": topic.name,
        "topic_id": topic.uuid,
        "partitions": describe_partitions(range(len(topic.partitions)), call),
    }


def describe_partitions(indexes: range, call: Call) -> list[Response]:
    """Partitions with their only replica, for Metadata and DescribeTopicPartitions."""
    node = call.broker.config.node_id
    return [
        {
            "partition_index": index,
            "leader_id": node,
            "leader_epoch": call.broker.state.leader_epoch,
            "replica_nodes": (node,),
            "isr_nodes": (node,),
            "eligible_leader_replicas": (),
            "last_known_elr": (),
        }
        for index in indexes
    ]
