"""DescribeTransactions (API key 65), version 0 (KIP-664)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.state import Transaction

if TYPE_CHECKING:
    from kio.schema.describe_transactions.v0.request import DescribeTransactionsRequest


def handle(request: DescribeTransactionsRequest, call: Call) -> Response:
    """Describe transactional ids."""
    return {"transaction_states": [_describe(transactional_id, call) for transactional_id in request.transactional_ids]}


def _describe(transactional_id: str, call: Call) -> Response:
    if not call.allows(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return {
            "transactional_id": transactional_id,
            "error_code": ErrorCode.transactional_id_authorization_failed,
        }
    if not transactional_id:
        return {"transactional_id": transactional_id, "error_code": ErrorCode.invalid_request}
    transaction = call.broker.state.transactions.get(transactional_id)
    if transaction is None:
        return {"transactional_id": transactional_id, "error_code": ErrorCode.transactional_id_not_found}
    return {
        "transactional_id": transactional_id,
        "transaction_state": transaction.state,
        "transaction_timeout": transaction.timeout_ms,
        "transaction_start_time": transaction.started_ms if transaction.is_ongoing else -1,
        "producer_id": transaction.producer_id,
        "producer_epoch": transaction.producer_epoch,
        "topics": _topics(transaction, call),
    }


def _topics(transaction: Transaction, call: Call) -> list[Response]:
    partitions: dict[str, list[int]] = {}
    for topic_id, index in sorted(transaction.partitions):
        topic = call.broker.state.topics.by_id(topic_id)
        if topic is not None and call.allows(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
            partitions.setdefault(topic.name, []).append(index)
    return [{"topic": name, "partitions": indexes} for name, indexes in partitions.items()]
