"""Metadata (API key 3), versions 0-12.

Version 0 asks for all topics with an empty list, later ones with null; version 12 may name topics by id (KIP-516).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.create_topics import create_with_defaults
from tailrace.broker.topics import Topic, is_legal_name

if TYPE_CHECKING:
    from kio.schema.metadata.v12.request import MetadataRequest


def handle(request: MetadataRequest, call: Call) -> Response:
    """Describe the broker and topics."""
    broker = call.broker
    if request.topics is None or (call.api_version == 0 and not request.topics):
        topics = [_describe(topic, call) for topic in broker.state.topics]
    else:
        may_create = getattr(request, "allow_auto_topic_creation", True)
        unique = {(wanted.name, getattr(wanted, "topic_id", None)): wanted for wanted in request.topics}
        topics = [_describe_wanted(wanted, call, may_create=may_create) for wanted in unique.values()]
    return {
        "brokers": [{"node_id": broker.config.node_id, "host": broker.advertised_host, "port": broker.port}],
        "cluster_id": broker.state.cluster_id,
        "controller_id": broker.config.node_id,
        "topics": topics,
    }


def _describe_wanted(wanted: Any, call: Call, *, may_create: bool) -> Response:
    topics = call.broker.state.topics
    topic_id = getattr(wanted, "topic_id", None)
    if wanted.name is None:
        topic = topics.by_id(topic_id.bytes) if topic_id else None
        if topic is None:
            return {"error_code": ErrorCode.unknown_topic_id, "name": None, "topic_id": topic_id}
        return _describe(topic, call)
    topic = topics.by_name(wanted.name)
    if topic is not None:
        return _describe(topic, call)
    if not is_legal_name(wanted.name):
        return {"error_code": ErrorCode.invalid_topic_exception, "name": wanted.name}
    if may_create and call.broker.config.auto_create_topics_enable:
        return _describe(create_with_defaults(call.broker, wanted.name), call)
    return {"error_code": ErrorCode.unknown_topic_or_partition, "name": wanted.name}


def _describe(topic: Topic, call: Call) -> Response:
    node = call.broker.config.node_id
    return {
        "name": topic.name,
        "topic_id": topic.uuid,
        "partitions": [
            {
                "partition_index": index,
                "leader_id": node,
                "leader_epoch": call.broker.state.leader_epoch,
                "replica_nodes": (node,),
                "isr_nodes": (node,),
            }
            for index in range(len(topic.partitions))
        ],
    }
