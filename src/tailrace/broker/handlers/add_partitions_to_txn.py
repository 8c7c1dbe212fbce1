"""AddPartitionsToTxn (API key 24), versions 0-3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import downgrade, may_write, refuse_outdated
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.broker.transactions.state import RequestKind

if TYPE_CHECKING:
    from kio.schema.add_partitions_to_txn.v3.request import AddPartitionsToTxnRequest

FENCED_SINCE = 2


def handle(request: AddPartitionsToTxnRequest, call: Call) -> Response:
    """Let a transaction write to partitions: to all of them, or to none if one does not exist."""
    transactional_id = request.v3_and_below_transactional_id
    wanted: list[tuple[str, int]] = [
        (topic.name, index) for topic in request.v3_and_below_topics for index in topic.partitions
    ]
    if not may_write(call, transactional_id):
        return _respond(request, dict.fromkeys(wanted, ErrorCode.transactional_id_authorization_failed))
    producer = ProducerIdentity(request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)
    refuse_outdated(call, transactional_id, producer, RequestKind.TRANSACTION)
    errors: dict[tuple[str, int], ErrorCode] = {
        key: error for key in wanted if (error := _problem(*key, call)) is not ErrorCode.none
    }
    if errors:
        return _respond(request, {**dict.fromkeys(wanted, ErrorCode.operation_not_attempted), **errors})
    ids = {topic.name: topic.id for topic in call.broker.state.topics}
    partitions = [(ids[name], index) for name, index in wanted]
    error = call.broker.transactions.add_partitions(transactional_id, producer, partitions)
    return _respond(request, dict.fromkeys(wanted, downgrade(error, call.api_version, FENCED_SINCE)))


def _problem(name: str, index: int, call: Call) -> ErrorCode:
    if not call.allows(Operation.WRITE, ResourceType.TOPIC, name):
        return ErrorCode.topic_authorization_failed
    is_known = call.broker.state.topics.partition(name, index) is not None
    return ErrorCode.none if is_known else ErrorCode.unknown_topic_or_partition


def _respond(request: AddPartitionsToTxnRequest, errors: dict[tuple[str, int], ErrorCode]) -> Response:
    return {
        "results_by_topic_v3_and_below": [
            {
                "name": topic.name,
                "results_by_partition": [
                    {"partition_index": index, "partition_error_code": errors[topic.name, index]}
                    for index in topic.partitions
                ],
            }
            for topic in request.v3_and_below_topics
        ]
    }
