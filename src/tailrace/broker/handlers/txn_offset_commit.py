"""TxnOffsetCommit (API key 28), versions 0-4. Version 3 names the member and its generation (KIP-447).

Version 4 knows TRANSACTION_ABORTABLE (KIP-890).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.end_txn import abortable, may_write, refuse_outdated
from tailrace.broker.handlers.offset_commit import accept_rows, always, answer_partitions, check_member
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.broker.transactions.state import RequestKind

if TYPE_CHECKING:
    from kio.schema.txn_offset_commit.v4.request import TxnOffsetCommitRequest

ABORTABLE_SINCE = 4


def handle(request: TxnOffsetCommitRequest, call: Call) -> Response:
    """Keep offsets that a group commits when the transaction is committed."""
    broker = call.broker
    error = _authorization_problem(request, call)
    if error is not ErrorCode.none:
        return answer_partitions(request, accept_rows(request, call, always(error))[1])
    producer = ProducerIdentity(request.producer_id, request.producer_epoch)
    refuse_outdated(call, request.transactional_id, producer, RequestKind.OFFSETS)
    error = _transaction_problem(request, producer, call)
    check = always(error)
    if error is ErrorCode.none and call.api_version >= 3:
        check = check_member(request, call, request.generation_id, is_transactional=True)
    rows, errors = accept_rows(request, call, check)
    if rows:
        broker.transactions.hold_offsets(producer, request.group_id, rows)
    return answer_partitions(request, errors)


def _authorization_problem(request: TxnOffsetCommitRequest, call: Call) -> ErrorCode:
    if not may_write(call, request.transactional_id):
        return ErrorCode.transactional_id_authorization_failed
    may_read = call.allows(Operation.READ, ResourceType.GROUP, request.group_id)
    return ErrorCode.none if may_read else ErrorCode.group_authorization_failed


def _transaction_problem(request: TxnOffsetCommitRequest, producer: ProducerIdentity, call: Call) -> ErrorCode:
    if not request.group_id:
        return ErrorCode.invalid_group_id
    error = call.broker.transactions.admit_offsets(request.transactional_id, producer, request.group_id)
    if error is ErrorCode.producer_fenced:
        return ErrorCode.invalid_producer_epoch  # what Kafka answers here in all versions
    return abortable(error, call.api_version, ABORTABLE_SINCE)
