"""The view is the same however the topics interleave, and however they are cut into batches."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agio.contracts.events import (
    Account,
    Posting,
    RateUsed,
    Reason,
    RejectedTransaction,
    RequestReference,
    Session,
    SignUp,
    Transaction,
    TransactionRequest,
    TransactionType,
    Wallet,
)
from agio.web.view.fold import FOLDS
from agio.web.view.queries import Queries, TransactionRow
from agio.web.view.store import Store

FOLD = {fold.contract.topic: fold for fold in FOLDS}
RATE = RateUsed("EUR-USD", "1.08", "1.09", 3, 0, 5)
Log = list[tuple[str, Any]]


def request(number: int, account: str = "a", amount: str = "10.00") -> TransactionRequest:
    exchange = TransactionType.EXCHANGE
    return TransactionRequest(f"t{number}", account, exchange, "EUR", amount, buy_currency="USD", requested_at=number)


def done(number: int, offset: int, account: str = "a") -> Transaction:
    user = f"user:{account}"
    postings = [
        Posting(user, "EUR", -1000),
        Posting("house:liquidity", "EUR", 1000),
        Posting("house:liquidity", "USD", -1080),
        Posting(user, "USD", 1080),
    ]
    reference = RequestReference("transaction-requests", 0, offset)
    return Transaction(
        f"t{number}", account, TransactionType.EXCHANGE, number, postings, {"USD": 1080}, RATE, reference, "", 7
    )


def refused(number: int, offset: int, reason: Reason, account: str = "a") -> RejectedTransaction:
    reference = RequestReference("transaction-requests", 0, offset)
    return RejectedTransaction(
        f"t{number}", account, TransactionType.EXCHANGE, reason, "No.", 1, None, reference, "", 8
    )


# One partition of each topic; the place in the list is the offset.
TOPICS: dict[str, Log] = {
    "sign-ups": [
        ("ada", SignUp("ada", "a", "Ada", "EUR", "hash", 1)),
        ("ada", SignUp("ada", "b", "Not Ada", "USD", "other", 2)),
        ("bob", SignUp("bob", "c", "Bob", "USD", "hash", 3)),
    ],
    "accounts": [
        ("a", Account("a", "ada", "Ada", "EUR", "active", 1)),
        ("a", Account("a", "ada", "Ada Lovelace", "EUR", "active", 2)),
    ],
    "sessions": [("x", Session("a", 100)), ("y", Session("a", 200)), ("x", None), ("z", None), ("z", Session("c", 9))],
    "transaction-requests": [
        ("a", request(1)),
        ("a", request(2)),
        ("a", request(1)),  # repeated
        ("a", request(2, amount="99.00")),  # other content
        ("a", request(3)),
        ("a", request(4)),  # no outcome yet
    ],
    "transactions": [("a", done(1, 0)), ("a", done(1, 2)), ("a", done(3, 4))],
    "rejected-transactions": [
        ("a", refused(2, 1, Reason.INSUFFICIENT_FUNDS)),
        ("a", refused(2, 3, Reason.IDEMPOTENCY_CONFLICT)),
    ],
    "wallets": [("a", Wallet("a", "EUR", n, {"EUR": n}, n)) for n in (0, 1, 2, 1, 2)],
}


def build(folder: Path, interleaving: list[str], batch_size: int) -> Path:
    """Fold the topics in the order given (each entry: the next record of that topic)."""
    path = folder / "view.db"
    store = Store(path, "cluster")
    offsets = dict.fromkeys(TOPICS, 0)
    for start in range(0, len(interleaving), batch_size):
        records: dict[str, list[Any]] = {}
        for topic in interleaving[start : start + batch_size]:
            key, event = TOPICS[topic][offsets[topic]]
            records.setdefault(topic, []).append((key, event, offsets[topic]))
            offsets[topic] += 1
        writes = [write for topic, batch in records.items() for write in FOLD[topic].writes(batch)]
        store.apply(writes, {(topic, 0): offsets[topic] for topic in records})
    store.close()
    return path


def content(path: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
    connection.close()
    return found


IN_ORDER = [topic for topic, records in TOPICS.items() for _ in records]


@settings(max_examples=60, deadline=None)
@given(interleaving=st.permutations(IN_ORDER), batch_size=st.integers(1, 30))
def test_the_view_does_not_depend_on_interleaving_or_batches(interleaving: list[str], batch_size: int) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        expected = content(build(Path(one), IN_ORDER, len(IN_ORDER)))
        assert content(build(Path(other), interleaving, batch_size)) == expected


def test_what_the_view_says(tmp_path: Path) -> None:
    view = Queries(build(tmp_path, IN_ORDER, 5))
    ada, bob = view.sign_up("ada"), view.sign_up("bob")
    assert ada is not None
    assert bob is not None
    assert (ada.account_id, bob.account_id, view.sign_up("carl")) == ("a", "c", None)
    account = view.account("a")
    assert account is not None
    assert (account.name, account.status, view.account("b")) == ("Ada Lovelace", "active", None)
    assert [missing.username for missing in view.accounts_missing(10)] == ["bob"]
    assert view.accounts_missing(3) == []
    assert (view.session("x", 0), view.session("y", 199), view.session("y", 200), view.session("z", 8)) == (
        None,
        "a",
        None,
        "c",
    )
    assert view.sessions_expired(9) == ["z"]
    wallet = view.wallet("a")
    assert wallet is not None
    assert (wallet.sequence, wallet.balances) == (2, {"EUR": 2})


def test_transactions_of_an_account(tmp_path: Path) -> None:
    view = Queries(build(tmp_path, IN_ORDER, 5))
    rows = view.transactions("a", 10)
    assert [(row.transaction_id, row.status) for row in rows] == [
        ("t4", "pending"),
        ("t3", "succeeded"),
        ("t2", "rejected"),
        ("t1", "succeeded"),
    ]
    assert view.transactions("a", 2, before=rows[1].position) == rows[2:]
    assert view.transactions("b", 10) == []
    third, second = rows[1], rows[2]
    assert (third.currency, third.booked, third.buy_currency, third.bought) == ("EUR", 1000, "USD", 1080)
    assert (third.rate_pair, third.rate_bid, third.rate_ask, third.decided_at) == ("EUR-USD", "1.08", "1.09", 7)
    assert (second.amount, second.reason, second.message) == ("10.00", "INSUFFICIENT_FUNDS", "No.")
    assert view.transaction("b", "t3") is None
    assert isinstance(view.transaction("a", "t3"), TransactionRow)
