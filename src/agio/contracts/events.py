"""The events as Python classes, one for each contract; fields and order are those of the `.avsc` file."""

from enum import StrEnum

from msgspec import Struct


class TransactionType(StrEnum):
    """What a customer can ask of the ledger."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    EXCHANGE = "EXCHANGE"


class Reason(StrEnum):
    """Why a request was refused, in the order of the checks; the first that fails wins."""

    UNKNOWN = "UNKNOWN"
    INVALID_REQUEST = "INVALID_REQUEST"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    UNSUPPORTED_CURRENCY = "UNSUPPORTED_CURRENCY"
    INVALID_AMOUNT = "INVALID_AMOUNT"
    AMOUNT_PRECISION = "AMOUNT_PRECISION"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    SAME_CURRENCY = "SAME_CURRENCY"
    RATE_UNAVAILABLE = "RATE_UNAVAILABLE"
    RATE_STALE = "RATE_STALE"
    AMOUNT_TOO_SMALL = "AMOUNT_TOO_SMALL"
    SLIPPAGE_EXCEEDED = "SLIPPAGE_EXCEEDED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"


class AccountRequest(Struct, frozen=True):
    """An account that somebody asked to open."""

    account_id: str
    username: str
    name: str
    home_currency: str
    requested_at: int


class Account(Struct, frozen=True):
    """An account as the account database has it; `status` is `active` or `closed`."""

    account_id: str
    username: str
    name: str
    home_currency: str
    status: str
    updated_at: int


class TransactionRequest(Struct, frozen=True):
    """A wish; `amount` and `min_buy_amount` are decimal numbers as asked, not yet validated."""

    transaction_id: str
    account_id: str
    type: TransactionType
    currency: str
    amount: str
    buy_currency: str | None = None
    min_buy_amount: str | None = None
    card: str | None = None
    iban: str | None = None
    requested_at: int = 0


class Posting(Struct, frozen=True):
    """A change of one account's balance; positive is received, in minor units."""

    account: str
    currency: str
    amount: int


class RateUsed(Struct, frozen=True):
    """The quote that a decision used, and where it stands in `exchange-rates`."""

    pair: str
    bid: str
    ask: str
    as_of: int
    partition: int
    offset: int


class RequestReference(Struct, frozen=True):
    """Where a request stands in the log."""

    topic: str
    partition: int
    offset: int


class Transaction(Struct, frozen=True):
    """What was done about a request; `balances` holds all of the account's, after it, in minor units."""

    transaction_id: str
    account_id: str
    type: TransactionType
    sequence: int
    postings: list[Posting]
    balances: dict[str, int]
    rate: RateUsed | None
    request: RequestReference
    request_digest: str
    decided_at: int


class RejectedTransaction(Struct, frozen=True):
    """A request that was refused; `sequence` is that of the account's last transaction before."""

    transaction_id: str
    account_id: str
    type: TransactionType
    reason: Reason
    message: str
    sequence: int
    rate: RateUsed | None
    request: RequestReference
    request_digest: str
    decided_at: int


class ExchangeRate(Struct, frozen=True):
    """A quote: the house buys `base` at `bid` and sells it at `ask`, both decimal numbers in `quote`."""

    base: str
    quote: str
    bid: str
    ask: str
    as_of: int
    source: str


class Wallet(Struct, frozen=True):
    """Snapshot of an account's balances, in minor units, after transaction `sequence` (0 before the first)."""

    account_id: str
    home_currency: str
    sequence: int
    balances: dict[str, int]
    updated_at: int


class SignUp(Struct, frozen=True):
    """A wish for a username; the first in the topic owns it."""

    username: str
    account_id: str
    name: str
    home_currency: str
    password_hash: str
    signed_up_at: int


class Session(Struct, frozen=True):
    """A signed-in browser, until `expires_at`."""

    account_id: str
    expires_at: int
