"""EndTxn (API key 26), versions 0-4."""

from __future__ import annotations

from typing import Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, CloseConnection, Response
from tailrace.broker.transactions.coordinator import ProducerIdentity

FENCED_SINCE = 2


def downgrade(error: ErrorCode, version: int, fenced_since: int) -> ErrorCode:
    """The error in the words of an older version: PRODUCER_FENCED was INVALID_PRODUCER_EPOCH (KIP-588)."""
    is_too_new = error is ErrorCode.producer_fenced and version < fenced_since
    return ErrorCode.invalid_producer_epoch if is_too_new else error


def handle(request: Any, call: Call) -> Response:
    """Commit or abort a transaction; on an outdated connection do neither."""
    coordinator = call.broker.transactions
    if coordinator.is_outdated(request.transactional_id, call.connection):
        raise CloseConnection(f"EndTxn of {request.transactional_id!r} came on an outdated connection")
    producer = ProducerIdentity(request.producer_id, request.producer_epoch)
    error = coordinator.end(request.transactional_id, producer, call.connection, committed=request.committed)
    return {"error_code": downgrade(error, call.api_version, FENCED_SINCE)}
