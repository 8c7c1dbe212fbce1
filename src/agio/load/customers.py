"""Who asks and what for: the same customers and wishes for the same seed."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

from agio.contracts.events import AccountRequest, TransactionRequest, TransactionType

# Both are always of these lengths; requests are put together from encoded pieces.
TRANSACTION_ID = "0" * 32
ACCOUNT_ID = "0" * 36

OPENING_DEPOSITS = ("EUR", "USD")
OPENING_AMOUNT = "1000000.00"
# How often each is wished for, of 100.
DEPOSITS, EXCHANGES, WITHDRAWALS = 35, 40, 20
IBAN = "DE02120300000000202051"
BOUND_TO_FAIL = (
    TransactionRequest(TRANSACTION_ID, ACCOUNT_ID, TransactionType.WITHDRAWAL, "EUR", "90000000000.00", iban=IBAN),
    TransactionRequest(TRANSACTION_ID, ACCOUNT_ID, TransactionType.DEPOSIT, "EUR", "1.001"),
    TransactionRequest(TRANSACTION_ID, ACCOUNT_ID, TransactionType.EXCHANGE, "EUR", "1.00", "XXX"),
)


def customers(seed: int, count: int) -> list[AccountRequest]:
    """Give so many people who want an account."""
    random = Random(f"customers {seed}")
    return [
        AccountRequest(
            account_id=str(UUID(int=random.getrandbits(128), version=4)),
            username=f"load-{seed}-{number}",
            name=f"Customer {number}",
            home_currency="EUR",
            requested_at=0,
        )
        for number in range(count)
    ]


def openings() -> list[TransactionRequest]:
    """Give the wishes that every customer has first: enough money for all the others."""
    return [
        TransactionRequest(
            TRANSACTION_ID, ACCOUNT_ID, TransactionType.DEPOSIT, currency, OPENING_AMOUNT, card="tok 4242"
        )
        for currency in OPENING_DEPOSITS
    ]


def wishes(seed: int, count: int) -> Iterator[TransactionRequest]:
    """Yield wishes of nobody in particular; about one in twenty is bound to be refused."""
    random = Random(f"wishes {seed}")
    for _ in range(count):
        amount = f"{random.randint(1, 50)}.{random.randint(1, 99):02}"
        sold, bought = random.sample(OPENING_DEPOSITS, 2)
        kind = random.randrange(100)
        if kind < DEPOSITS:
            yield _wish(TransactionType.DEPOSIT, sold, amount, card="tok 4242")
        elif kind < DEPOSITS + EXCHANGES:
            yield _wish(TransactionType.EXCHANGE, sold, amount, buy_currency=bought)
        elif kind < DEPOSITS + EXCHANGES + WITHDRAWALS:
            yield _wish(TransactionType.WITHDRAWAL, sold, amount, iban=IBAN)
        else:
            yield random.choice(BOUND_TO_FAIL)


def _wish(kind: TransactionType, currency: str, amount: str, **details: str) -> TransactionRequest:
    return TransactionRequest(TRANSACTION_ID, ACCOUNT_ID, kind, currency, amount, **details)  # type: ignore[arg-type]
