"""ListTransactions (API key 66), versions 0-1 (KIP-664, KIP-994)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.transactions.state import Transaction, TransactionState

if TYPE_CHECKING:
    from kio.schema.list_transactions.v1.request import ListTransactionsRequest


def handle(request: ListTransactionsRequest, call: Call) -> Response:
    """List transactional ids, filtered by state, producer id and how long a transaction is open."""
    known = set(TransactionState)
    states = {state for state in request.state_filters if state in known}
    duration_ms = getattr(request, "duration_filter", -1)
    now_ms = call.broker.now_ms()

    def is_wanted(transaction: Transaction) -> bool:
        if not call.allows(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transaction.transactional_id):
            return False
        if request.state_filters and transaction.state not in states:
            return False
        if request.producer_id_filters and transaction.producer_id not in request.producer_id_filters:
            return False
        return duration_ms < 0 or (transaction.is_ongoing and now_ms - transaction.started_ms > duration_ms)

    return {
        "unknown_state_filters": [state for state in request.state_filters if state not in known],
        "transaction_states": [
            {
                "transactional_id": transaction.transactional_id,
                "producer_id": transaction.producer_id,
                "transaction_state": transaction.state,
            }
            for transaction in call.broker.state.transactions
            if is_wanted(transaction)
        ],
    }
