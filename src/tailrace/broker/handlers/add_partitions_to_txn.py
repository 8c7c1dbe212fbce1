"""AddPartitionsToTxn (API key 24), versions 0-3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import downgrade, refuse_outdated
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.broker.transactions.state import RequestKind

if TYPE_CHECKING:
    from kio.schema.add_partitions_to_txn.v3.request import AddPartitionsToTxnRequest

FENCED_SINCE = 2


def handle(request: AddPartitionsToTxnRequest, call: Call) -> Response:
    """Let a transaction write to partitions: to all of them, or to none if one does not exist."""
    transactional_id = request.v3_and_below_transactional_id
    producer = ProducerIdentity(request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)
    refuse_outdated(call, transactional_id, producer, RequestKind.TRANSACTION)
    topics = call.broker.state.topics
    wanted = [(topic.name, index) for topic in request.v3_and_below_topics for index in topic.partitions]
    unknown = {key for key in wanted if topics.partition(*key) is None}
    error = ErrorCode.operation_not_attempted
    if not unknown:
        ids = {topic.name: topic.id for topic in topics}
        error = call.broker.transactions.add_partitions(
            transactional_id,
            producer,
            [(ids[name], index) for name, index in wanted],
        )
    error = downgrade(error, call.api_version, FENCED_SINCE)
    return {
        "results_by_topic_v3_and_below": [
            {
                "name": topic.name,
                "results_by_partition": [
                    {
                        "partition_index": index,
                        "partition_error_code": ErrorCode.unknown_topic_or_partition
                        if (topic.name, index) in unknown
                        else error,
                    }
                    for index in topic.partitions
                ],
            }
            for topic in request.v3_and_below_topics
        ]
    }
