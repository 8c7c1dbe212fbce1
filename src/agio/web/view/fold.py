"""What a record of each topic does to the tables: a statement, and the row it is given.

The result does not depend on how the topics interleave, so that a rebuilt view equals one that was kept up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from agio.contracts import topics
from agio.contracts.events import (
    Account,
    Reason,
    RejectedTransaction,
    Session,
    SignUp,
    Transaction,
    TransactionRequest,
    TransactionType,
    Wallet,
)
from agio.contracts.topics import Contract

T = TypeVar("T")
# A record's key, event (None: the record has no value) and offset.
Record = tuple[str, T | None, int]
Row = tuple[str | int | bytes | None, ...]
# A statement, and the rows to execute it with.
Write = tuple[str, Sequence[Row]]


@dataclass(frozen=True)
class Fold(Generic[T]):
    """How one topic is folded: `row(key, event, offset)` fills `write`; None leaves the tables as they are.

    `delete`: the statement, given the key, for a record without a value; None where there are no such records.
    """

    contract: Contract[T]
    write: str
    row: Callable[[str, T, int], Row | None]
    delete: str | None = None

    def writes(self, records: Sequence[Record[T]]) -> list[Write]:
        """Say what records, in the order of their partitions, do to the tables."""
        if self.delete is None:
            rows = [self.row(key, event, offset) for key, event, offset in records if event is not None]
            return [(self.write, [row for row in rows if row is not None])]
        last = {record[0]: record for record in records}.values()  # the table has nothing else of the topic's past
        written = [self.row(key, event, offset) for key, event, offset in last if event is not None]
        deleted: list[Row] = [(key,) for key, event, _ in last if event is None]
        return [(self.write, [row for row in written if row is not None]), (self.delete, deleted)]


def _sign_up(key: str, event: SignUp, offset: int) -> Row:
    return event.username, event.account_id, event.name, event.home_currency, event.password_hash, event.signed_up_at


def _account(key: str, event: Account, offset: int) -> Row:
    return event.account_id, event.username, event.name, event.home_currency, event.status


def _session(key: str, event: Session, offset: int) -> Row:
    return key, event.account_id, event.expires_at


def _request(key: str, event: TransactionRequest, offset: int) -> Row:
    return (
        key,  # as in the ledger, whatever account the event names
        event.transaction_id,
        offset,
        event.type,
        event.currency,
        event.buy_currency,
        event.amount,
        event.min_buy_amount,
        event.card,
        event.iban,
        event.requested_at,
    )


def _transaction(key: str, event: Transaction, offset: int) -> Row:
    user = f"user:{event.account_id}"
    currency = buy_currency = booked = bought = None
    for posting in event.postings:
        if posting.account != user:
            continue
        if event.type is TransactionType.EXCHANGE and posting.amount > 0:
            buy_currency, bought = posting.currency, posting.amount
        else:
            currency, booked = posting.currency, abs(posting.amount)
    return (*_decision(event), "succeeded", None, None, currency, buy_currency, booked, bought)


def _rejection(key: str, event: RejectedTransaction, offset: int) -> Row | None:
    if event.reason is Reason.IDEMPOTENCY_CONFLICT:
        return None  # it answers a second request under the id of another, which keeps its own outcome
    return (*_decision(event), "rejected", event.reason, event.message, None, None, None, None)


def _decision(event: Transaction | RejectedTransaction) -> Row:
    rate = event.rate
    return (
        event.account_id,
        event.transaction_id,
        event.request.offset,
        event.type,
        event.sequence,
        event.decided_at,
        *((rate.pair, rate.bid, rate.ask, rate.as_of) if rate else (None, None, None, None)),
    )


def _wallet(key: str, event: Wallet, offset: int) -> Row:
    return event.account_id, event.home_currency, event.sequence, msgspec.json.encode(event.balances)


# An outcome that came first keeps its place for exactly the request that it answers.
_WRITE_REQUEST = """
INSERT INTO transactions (account_id, transaction_id, position, type, currency, buy_currency, amount, min_buy_amount,
                          card, iban, requested_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET currency = excluded.currency, buy_currency = excluded.buy_currency, amount = excluded.amount,
  min_buy_amount = excluded.min_buy_amount, card = excluded.card, iban = excluded.iban,
  requested_at = excluded.requested_at
WHERE amount IS NULL AND position = excluded.position
"""
_WRITE_OUTCOME = """
INSERT INTO transactions (account_id, transaction_id, position, type, sequence, decided_at, rate_pair, rate_bid,
                          rate_ask, rate_as_of, status, reason, message, currency, buy_currency, booked, bought)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET sequence = excluded.sequence, decided_at = excluded.decided_at,
  rate_pair = excluded.rate_pair, rate_bid = excluded.rate_bid, rate_ask = excluded.rate_ask,
  rate_as_of = excluded.rate_as_of, status = excluded.status, reason = excluded.reason, message = excluded.message,
  booked = excluded.booked, bought = excluded.bought
WHERE status = 'pending'
"""

FOLDS = (
    Fold(topics.SIGN_UPS, "INSERT OR IGNORE INTO sign_ups VALUES (?, ?, ?, ?, ?, ?)", _sign_up),
    Fold(topics.ACCOUNTS, "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)", _account),
    Fold(
        topics.SESSIONS,
        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)",
        _session,
        delete="DELETE FROM sessions WHERE token_hash = ?",
    ),
    Fold(topics.TRANSACTION_REQUESTS, _WRITE_REQUEST, _request),
    Fold(topics.TRANSACTIONS, _WRITE_OUTCOME, _transaction),
    Fold(topics.REJECTED_TRANSACTIONS, _WRITE_OUTCOME, _rejection),
    Fold(
        topics.WALLETS,
        "INSERT INTO wallets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET home_currency = excluded.home_currency, "
        "sequence = excluded.sequence, balances = excluded.balances WHERE excluded.sequence >= sequence",
        _wallet,
    ),
)
