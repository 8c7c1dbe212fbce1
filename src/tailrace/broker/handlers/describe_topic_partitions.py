"""DescribeTopicPartitions (API key 75), version 0 (KIP-966): Metadata's topics, page by page.

Topics come in the order of their names. A response ends after a number of partitions, and its cursor names the topic
and partition to go on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.metadata import describe_partitions
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic, is_legal_name

if TYPE_CHECKING:
    from kio.schema.describe_topic_partitions.v0.request import DescribeTopicPartitionsRequest

PARTITIONS_MAX = 2000  # Kafka's max.request.partition.size.limit


def handle(request: DescribeTopicPartitionsRequest, call: Call) -> Response:
    """Describe the topics that are named, or all, from the cursor on."""
    names: set[str] = {topic.name for topic in request.topics}
    cursor = request.cursor
    if cursor is not None and (cursor.partition_index < 0 or (names and cursor.topic_name not in names)):
        return {"topics": [{"error_code": ErrorCode.invalid_request, "name": name} for name in names]}
    first, start = (cursor.topic_name, cursor.partition_index) if cursor else ("", 0)
    wanted = sorted(name for name in names or {topic.name for topic in call.broker.state.topics} if name >= first)
    visible = [name for name in wanted if call.allows(Operation.DESCRIBE, ResourceType.TOPIC, name)]
    limit = max(min(request.response_partition_limit, PARTITIONS_MAX), 1)
    page = _page(visible, start if first in visible else 0, limit, call)
    page["topics"] += [
        {"error_code": ErrorCode.topic_authorization_failed, "name": name}
        for name in wanted
        if name in names and name not in visible
    ]
    return page


def _page(names: list[str], start: int, limit: int, call: Call) -> dict[str, Any]:
    """At most `limit` partitions, of the first topic those from `start` on."""
    described: list[Response] = []
    for name in names:
        if limit == 0:
            return {"topics": described, "next_cursor": {"topic_name": name, "partition_index": 0}}
        topic = call.broker.state.topics.by_name(name)
        if topic is None:
            described.append(_missing(name))
            continue
        end = min(start + limit, len(topic.partitions))
        described.append(_describe(topic, range(start, end), call))
        if end < len(topic.partitions):
            return {"topics": described, "next_cursor": {"topic_name": name, "partition_index": end}}
        limit -= max(end - start, 0)
        start = 0
    return {"topics": described}


def _missing(name: str) -> Response:
    error = ErrorCode.unknown_topic_or_partition if is_legal_name(name) else ErrorCode.invalid_topic_exception
    return {"error_code": error, "name": name}


def _describe(topic: Topic, indexes: range, call: Call) -> Response:
    return {
        "name": topic.name,
        "topic_id": topic.uuid,
        "partitions": describe_partitions(indexes, call),
        "topic_authorized_operations": call.authorized_operations(ResourceType.TOPIC, topic.name),
    }
