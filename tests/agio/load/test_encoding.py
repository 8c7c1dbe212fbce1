"""Short-cuts give exactly what the full codec gives."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import (
    Reason,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
    TransactionType,
)
from agio.contracts.topics import REJECTED_TRANSACTIONS, TRANSACTION_REQUESTS, TRANSACTIONS
from agio.load.customers import ACCOUNT_ID, TRANSACTION_ID, customers, openings, wishes
from agio.load.encoding import Answer, OutcomeReader, RequestEncoder
from tailrace.registry.errors import SerdeError
from tailrace.testing.registry import LocalRegistry

REGISTRY = LocalRegistry()
REFERENCE = RequestReference("transaction-requests", 1, 2)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
IDS = st.uuids().map(str)


@given(HEX, IDS, st.sampled_from([*openings(), *wishes(seed=1, count=300)]), st.integers(0, 2**62))
def test_a_request_of_pieces_is_the_request(
    transaction_id: str, account_id: str, wish: TransactionRequest, now_ms: int
) -> None:
    encoder = RequestEncoder(REGISTRY)
    pieces = encoder.account(account_id), encoder.wish(wish), encoder.time(now_ms)
    expected = TransactionRequest(
        transaction_id,
        account_id,
        wish.type,
        wish.currency,
        wish.amount,
        wish.buy_currency,
        wish.min_buy_amount,
        wish.card,
        wish.iban,
        now_ms,
    )
    serde = TRANSACTION_REQUESTS.serde(REGISTRY)
    assert encoder.request(transaction_id.encode(), *pieces) == serde.encode(expected)


def test_an_account_id_of_another_length_does_not_fit() -> None:
    with pytest.raises(ValueError, match="expected 36"):
        RequestEncoder(REGISTRY).account("short")


@pytest.mark.parametrize("lengths", [(32, 36), (36, 36), (32, 10), (0, 0), (100, 100)], ids=str)
@pytest.mark.parametrize("kind", TransactionType)
def test_an_outcome_is_read_whatever_its_identities(kind: TransactionType, lengths: tuple[int, int]) -> None:
    transaction_id, account_id = "t" * lengths[0], "a" * lengths[1]
    done = Transaction(transaction_id, account_id, kind, 1, [], {}, None, REFERENCE, "", 0)
    data = TRANSACTIONS.serde(REGISTRY).encode(done)
    assert OutcomeReader("transactions", REGISTRY).read(data) == Answer(transaction_id, kind, None)


@pytest.mark.parametrize(("kind", "reason"), list(product(TransactionType, Reason)))
def test_a_refusal_is_read_with_its_reason(kind: TransactionType, reason: Reason) -> None:
    refused = RejectedTransaction(TRANSACTION_ID, ACCOUNT_ID, kind, reason, "no", 1, None, REFERENCE, "", 0)
    data = REJECTED_TRANSACTIONS.serde(REGISTRY).encode(refused)
    assert OutcomeReader("rejected-transactions", REGISTRY).read(data) == Answer(TRANSACTION_ID, kind, reason)


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0\1", b"\0\0\0\0\1\x40abc", b"garbage"], ids=str)
def test_garbage_is_an_error(data: bytes) -> None:
    with pytest.raises(SerdeError):
        OutcomeReader("transactions", REGISTRY).read(data)


def test_customers_are_the_same_for_the_same_seed() -> None:
    assert customers(1, 10) == customers(1, 20)[:10]
    assert not {each.account_id for each in customers(1, 100)} & {each.account_id for each in customers(2, 100)}
    assert len({each.username for each in customers(1, 100)}) == 100
