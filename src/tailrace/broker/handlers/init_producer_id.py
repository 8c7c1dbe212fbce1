"""InitProducerId (API key 22), versions 0-5. Version 3 names the producer's present identity (KIP-360)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import downgrade
from tailrace.broker.transactions.coordinator import NOBODY, ProducerIdentity

if TYPE_CHECKING:
    from kio.schema.init_producer_id.v5.request import InitProducerIdRequest

FENCED_SINCE = 4
MILLISECOND = timedelta(milliseconds=1)


def handle(request: InitProducerIdRequest, call: Call) -> Response:
    """Give a producer its id and epoch; a transactional one ends what it left open."""
    coordinator = call.broker.transactions
    claimed = ProducerIdentity(getattr(request, "producer_id", -1), getattr(request, "producer_epoch", -1))
    identity: ProducerIdentity | ErrorCode
    if claimed != NOBODY and -1 in claimed:
        identity = ErrorCode.invalid_request
    elif request.transactional_id is None:
        identity = coordinator.allocate_producer_id()
    else:
        timeout_ms = request.transaction_timeout // MILLISECOND
        identity = coordinator.initialize(request.transactional_id, timeout_ms, claimed)
    if isinstance(identity, ErrorCode):
        error = downgrade(identity, call.api_version, FENCED_SINCE)
        return {"error_code": error, "producer_id": -1, "producer_epoch": -1}
    return {"producer_id": identity.producer_id, "producer_epoch": identity.producer_epoch}
