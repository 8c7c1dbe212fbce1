"""AddOffsetsToTxn (API key 25), versions 0-4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import downgrade, may_write, refuse_outdated
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.broker.transactions.state import RequestKind

if TYPE_CHECKING:
    from kio.schema.add_offsets_to_txn.v4.request import AddOffsetsToTxnRequest

FENCED_SINCE = 2


def handle(request: AddOffsetsToTxnRequest, call: Call) -> Response:
    """Let a transaction commit offsets of a group."""
    if not may_write(call, request.transactional_id):
        return {"error_code": ErrorCode.transactional_id_authorization_failed}
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        return {"error_code": ErrorCode.group_authorization_failed}
    producer = ProducerIdentity(request.producer_id, request.producer_epoch)
    refuse_outdated(call, request.transactional_id, producer, RequestKind.TRANSACTION)
    error = call.broker.transactions.add_group(request.transactional_id, producer, request.group_id)
    return {"error_code": downgrade(error, call.api_version, FENCED_SINCE)}
