"""The transaction service as a data flow: each request is decided on the ledger, the account and the latest quotes."""

from agio.contracts import topics
from agio.contracts.events import (
    Account,
    RateUsed,
    Reason,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
)
from agio.transactions import model
from agio.transactions.model import Ledger, Outcome
from tailrace.clock import Clock, now_ms
from tailrace.registry.client import Registry
from tailrace.streams import Identity, OnError, TableReader, Topology
from tailrace.streams.record import Record


def build(registry: Registry, clock: Clock = now_ms) -> Topology:
    """Describe the service."""

    def decide(
        key: str,
        ledger: Ledger,
        request: TransactionRequest,
        record: Record,
        accounts: TableReader[Account],
        rates: TableReader[object],
    ) -> tuple[Outcome]:
        account = accounts.get(key)

        def quote_of(pair: str) -> RateUsed | None:
            rate = rates.get(pair)
            if rate is None:
                return None
            quote = rate.value
            return RateUsed(pair, quote.bid, quote.ask, quote.as_of, rate.partition, rate.offset)

        return (
            model.decide(
                ledger, request, reference(record), key, None if account is None else account.value, quote_of, clock()
            ),
        )

    def conflict(key: str, ledger: Ledger, request: TransactionRequest, record: Record) -> tuple[Outcome]:
        return (model.conflict(ledger, request, reference(record), key, clock()),)

    topology = Topology("transactions", on_unreadable=OnError.DEAD_LETTER)
    requests = topology.stream("transaction-requests", topics.TRANSACTION_REQUESTS.serde(registry))
    accounts = topology.table("accounts", topics.ACCOUNTS.serde(registry))
    rates = topology.global_table("exchange-rates", topics.EXCHANGE_RATES.serde(registry))
    requests.decide(
        "ledger",
        decide,
        model.evolve,
        initial=Ledger(),
        identity=Identity(identity_of_request, identity_of_outcome, conflict),
        tables=[accounts, rates],
    ).route(
        {
            Transaction: ("transactions", topics.TRANSACTIONS.serde(registry)),
            RejectedTransaction: ("rejected-transactions", topics.REJECTED_TRANSACTIONS.serde(registry)),
        }
    )
    return topology


def reference(record: Record) -> RequestReference:
    """Where the request stands."""
    return RequestReference(record.topic(), record.partition(), record.offset())


def identity_of_request(request: TransactionRequest) -> tuple[str, str]:
    """The request's identity within its account, and its content's digest."""
    return request.transaction_id, model.digest(request)


def identity_of_outcome(outcome: Outcome) -> tuple[str, str] | None:
    """The identity that an outcome settles: none for a conflict, whose identity is settled already."""
    if isinstance(outcome, RejectedTransaction) and outcome.reason is Reason.IDEMPOTENCY_CONFLICT:
        return None
    return outcome.transaction_id, outcome.request_digest
