"""DescribeProducers (API key 61), version 0 (KIP-664)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import is_legal_name

if TYPE_CHECKING:
    from kio.schema.describe_producers.v0.request import DescribeProducersRequest


def handle(request: DescribeProducersRequest, call: Call) -> Response:
    """Describe the producers that partitions know."""
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": [_describe(topic.name, index, call) for index in topic.partition_indexes],
            }
            for topic in request.topics
        ]
    }


def _describe(name: str, index: int, call: Call) -> Response:
    if not is_legal_name(name):
        return {"partition_index": index, "error_code": ErrorCode.invalid_topic_exception}
    if not call.allows(Operation.READ, ResourceType.TOPIC, name):
        return {"partition_index": index, "error_code": ErrorCode.topic_authorization_failed}
    log = call.broker.state.topics.partition(name, index)
    if log is None:
        return {"partition_index": index, "error_code": ErrorCode.unknown_topic_or_partition}
    return {
        "partition_index": index,
        "active_producers": [
            {
                "producer_id": producer.producer_id,
                "producer_epoch": producer.epoch,
                "last_sequence": producer.recent[-1].last_sequence if producer.recent else -1,
                "last_timestamp": producer.last_timestamp,
                "coordinator_epoch": producer.coordinator_epoch,
                "current_txn_start_offset": -1 if producer.first_offset is None else producer.first_offset,
            }
            for producer in log.producers.by_id.values()
        ],
    }
