"""EndTxn (API key 26), versions 0-4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, CloseConnection, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.broker.transactions.state import RequestKind

if TYPE_CHECKING:
    from kio.schema.end_txn.v4.request import EndTxnRequest

FENCED_SINCE = 2


def downgrade(error: ErrorCode, version: int, fenced_since: int) -> ErrorCode:
    """The error in the words of an older version: PRODUCER_FENCED was INVALID_PRODUCER_EPOCH (KIP-588)."""
    is_too_new = error is ErrorCode.producer_fenced and version < fenced_since
    return ErrorCode.invalid_producer_epoch if is_too_new else error


def abortable(error: ErrorCode, version: int, since: int) -> ErrorCode:
    """The error as newer versions tell it: what does not belong to the transaction makes it end (KIP-890)."""
    is_known = error is ErrorCode.invalid_txn_state and version >= since
    return ErrorCode.transaction_abortable if is_known else error


def refuse_outdated(call: Call, transactional_id: str, producer: ProducerIdentity, kind: RequestKind) -> None:
    """Close the connection when the producer has a newer one; see `tailrace.broker.transactions.coordinator`."""
    if call.broker.transactions.is_outdated(transactional_id, producer, kind, call.connection):
        raise CloseConnection(f"a request of {transactional_id!r} came on an outdated connection")


def may_write(call: Call, transactional_id: str) -> bool:
    """Whether the client may use a transactional id."""
    return call.allows(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id)


def handle(request: EndTxnRequest, call: Call) -> Response:
    """Commit or abort a transaction."""
    if not may_write(call, request.transactional_id):
        return {"error_code": ErrorCode.transactional_id_authorization_failed}
    producer = ProducerIdentity(request.producer_id, request.producer_epoch)
    refuse_outdated(call, request.transactional_id, producer, RequestKind.TRANSACTION)
    error = call.broker.transactions.end(request.transactional_id, producer, committed=request.committed)
    return {"error_code": downgrade(error, call.api_version, FENCED_SINCE)}
