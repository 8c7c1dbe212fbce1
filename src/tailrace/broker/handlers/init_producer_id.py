"""InitProducerId (API key 22), versions 0-5. Version 3 names the producer's present identity (KIP-360)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import downgrade, may_write
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.coordinator import NOBODY, ProducerIdentity

if TYPE_CHECKING:
    from kio.schema.init_producer_id.v5.request import InitProducerIdRequest

FENCED_SINCE = 4
MILLISECOND = timedelta(milliseconds=1)


def handle(request: InitProducerIdRequest, call: Call) -> Response:
    """Give a producer its id and epoch; a transactional one ends what it left open."""
    coordinator = call.broker.transactions
    error = _authorization_problem(request.transactional_id, call)
    if error is not ErrorCode.none:
        return _refused(error)
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
        return _refused(downgrade(identity, call.api_version, FENCED_SINCE))
    return {"producer_id": identity.producer_id, "producer_epoch": identity.producer_epoch}


def _refused(error: ErrorCode) -> Response:
    return {"error_code": error, "producer_id": -1, "producer_epoch": -1}


def _authorization_problem(transactional_id: str | None, call: Call) -> ErrorCode:
    if transactional_id is not None:
        is_allowed = may_write(call, transactional_id)
        return ErrorCode.none if is_allowed else ErrorCode.transactional_id_authorization_failed
    # Who may write somewhere may do it idempotently (KIP-679).
    is_allowed = call.allows(Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER) or call.allows_somewhere(
        Operation.WRITE, ResourceType.TOPIC
    )
    return ErrorCode.none if is_allowed else ErrorCode.cluster_authorization_failed
