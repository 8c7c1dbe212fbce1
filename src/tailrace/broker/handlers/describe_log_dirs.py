"""DescribeLogDirs (API key 35), versions 1-4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic

if TYPE_CHECKING:
    from kio.schema.describe_log_dirs.v4.request import DescribeLogDirsRequest


def handle(request: DescribeLogDirsRequest, call: Call) -> Response:
    """Describe the data directory and how much of it the partitions take."""
    if not call.allows(Operation.DESCRIBE, ResourceType.CLUSTER):
        return {"error_code": ErrorCode.cluster_authorization_failed}
    broker = call.broker
    if request.topics is None:
        topics = [_describe(topic, range(len(topic.partitions))) for topic in broker.state.topics]
    else:
        known = ((broker.state.topics.by_name(wanted.topic), wanted.partitions) for wanted in request.topics)
        topics = [_describe(topic, partitions) for topic, partitions in known if topic is not None]
    total_bytes, usable_bytes = broker.disk.free_bytes()
    directory = {
        "log_dir": str(broker.config.data),
        "topics": topics,
        "total_bytes": total_bytes,
        "usable_bytes": usable_bytes,
    }
    return {"results": [directory]}


def _describe(topic: Topic, indexes: Any) -> Response:
    sizes = ((index, topic.partition(index)) for index in indexes)
    return {
        "name": topic.name,
        "partitions": [
            {"partition_index": index, "partition_size": partition.size}
            for index, partition in sizes
            if partition is not None
        ],
    }
