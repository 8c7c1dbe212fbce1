"""The bodies of requests and answers: their shape, for checking and for OpenAPI.

Only shapes are checked here. Whether a currency exists or an amount is sensible is for the ledger to say, which makes
an event of every wish.
"""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agio.contracts.events import ExchangeRate, Reason, TransactionType
from agio.money import currencies, format_amount
from agio.valuation import Quotes, total
from agio.web import card
from agio.web.clock import rfc3339
from agio.web.iban import read_iban
from agio.web.view.queries import AccountRow, TransactionRow, WalletRow


def _username(text: str) -> str:
    username = text.casefold()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{2,63}", username, re.ASCII):
        raise ValueError("must be 3 to 64 letters, digits or . _ @ + - and begin with a letter or digit")
    return username


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name.isprintable() or not 1 <= len(name) <= 100:
        raise ValueError("must be 1 to 100 printable characters")
    return name


def _known_currency(code: str) -> str:
    if code not in currencies():
        raise ValueError(f"{code!r} is not one of our currencies")
    return code


def _iban(text: str) -> str:
    iban = read_iban(text)
    if iban is None:
        raise ValueError("is not an IBAN: its length or its check digits are wrong")
    return iban


Username = Annotated[str, Field(max_length=64, examples=["ada"]), AfterValidator(_username)]
Password = Annotated[str, Field(min_length=10, max_length=1000, examples=["correct horse battery"])]
Name = Annotated[str, Field(max_length=200, examples=["Ada Lovelace"]), AfterValidator(_name)]
CurrencyCode = Annotated[str, Field(min_length=1, max_length=16, examples=["EUR"])]
AmountText = Annotated[str, Field(min_length=1, max_length=64, description="A decimal number.", examples=["12.50"])]
Iban = Annotated[str, Field(max_length=64, examples=["DE89370400440532013000"]), AfterValidator(_iban)]
Time = Annotated[str, Field(description="RFC 3339, UTC, milliseconds.", examples=["2026-01-31T23:59:59.999Z"])]


class Body(BaseModel):
    """A request's body: unknown fields are refused, so that a misspelt limit is not a missing one."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SignUpBody(Body):
    """What is needed to open an account."""

    username: Username
    password: Password
    name: Name
    home_currency: Annotated[CurrencyCode, AfterValidator(_known_currency)]


class LoginBody(Body):
    """What is needed to sign in."""

    username: Annotated[str, Field(max_length=64, examples=["ada"]), AfterValidator(str.casefold)]
    password: Annotated[str, Field(max_length=1000, examples=["correct horse battery"])]


class DepositBody(Body):
    """Money in, from the account's test card."""

    amount: AmountText
    currency: CurrencyCode


class WithdrawalBody(Body):
    """Money out, to a bank account."""

    amount: AmountText
    currency: CurrencyCode
    iban: Iban


class ExchangeBody(Body):
    """One currency for another, at the rate when the ledger decides; refused below `min_buy_amount`."""

    sell: CurrencyCode
    buy: CurrencyCode
    sell_amount: AmountText
    min_buy_amount: AmountText | None = None


class Status(StrEnum):
    """What became of a wish."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"


class AccountBody(BaseModel):
    """An account; `pending` until the account database has it."""

    account_id: str
    username: str
    name: str
    home_currency: str
    status: str = Field(description="pending, active or closed.", examples=["active"])
    card: str = Field(description="The test card to deposit from.", examples=["Visa test card •••• 4242"])

    @classmethod
    def of(cls, row: AccountRow) -> Self:
        """Present an account."""
        return cls(
            account_id=row.account_id,
            username=row.username,
            name=row.name,
            home_currency=row.home_currency,
            status=row.status or "pending",
            card=card.card_of(row.account_id).label,
        )


class AcceptedBody(BaseModel):
    """A wish was recorded; what becomes of it is told by the transaction."""

    transaction_id: str
    status: Status


class RateBody(BaseModel):
    """A quote: the house buys the first currency of `pair` at `bid` and sells it at `ask`."""

    pair: str = Field(examples=["EUR-USD"])
    bid: str
    ask: str
    as_of: Time

    @classmethod
    def of(cls, quote: ExchangeRate) -> Self:
        """Present a quote."""
        return cls(pair=f"{quote.base}-{quote.quote}", bid=quote.bid, ask=quote.ask, as_of=rfc3339(quote.as_of))


class TransactionBody(BaseModel):
    """A wish and what became of it; in an exchange `amount` is what is sold and `buy_amount` what was bought."""

    transaction_id: str
    type: TransactionType
    status: Status
    reason: Reason | None = Field(description="Why it was rejected.")
    message: str | None = Field(description="The reason in words.")
    currency: str | None
    amount: str | None
    buy_currency: str | None
    buy_amount: str | None
    min_buy_amount: str | None
    rate: RateBody | None = Field(description="The quote that the decision used.")
    card: str | None
    iban: str | None
    sequence: int | None = Field(description="Number of the account's last transaction, after this decision.")
    requested_at: Time | None
    decided_at: Time | None

    @classmethod
    def of(cls, row: TransactionRow) -> Self:
        """Present a transaction; amounts as booked where they were, else as asked."""
        return cls(
            transaction_id=row.transaction_id,
            type=TransactionType(row.type),
            status=Status(row.status),
            reason=None if row.reason is None else Reason(row.reason),
            message=row.message,
            currency=row.currency,
            amount=row.amount if row.booked is None else _amount(row.booked, row.currency),
            buy_currency=row.buy_currency,
            buy_amount=None if row.bought is None else _amount(row.bought, row.buy_currency),
            min_buy_amount=row.min_buy_amount,
            rate=_rate(row),
            card=None if row.card is None else card.label(row.card),
            iban=row.iban,
            sequence=row.sequence,
            requested_at=None if row.requested_at is None else rfc3339(row.requested_at),
            decided_at=None if row.decided_at is None else rfc3339(row.decided_at),
        )


class BalanceBody(BaseModel):
    """An amount of one currency."""

    currency: str
    amount: str


class TotalBody(BaseModel):
    """What a wallet is worth at the latest quotes, for display only."""

    currency: str
    amount: str
    as_of: Time | None = Field(description="Time of the oldest quote in it; null when it needed none.")
    missing: list[str] = Field(description="Currencies that are not in it, for want of quotes.")


class WalletBody(BaseModel):
    """An account's balances after transaction `sequence`, none of them zero, and their total."""

    sequence: int
    balances: list[BalanceBody]
    total: TotalBody

    @classmethod
    def of(cls, row: WalletRow, quotes: Quotes) -> Self:
        """Present a wallet, valued at quotes."""
        worth = total(row.balances, row.home_currency, quotes)
        return cls(
            sequence=row.sequence,
            balances=[
                BalanceBody(currency=code, amount=_amount(amount, code))
                for code, amount in sorted(row.balances.items())
                if amount
            ],
            total=TotalBody(
                currency=row.home_currency,
                amount=_amount(worth.amount, row.home_currency),
                as_of=None if worth.as_of is None else rfc3339(worth.as_of),
                missing=list(worth.missing),
            ),
        )


class CurrencyBody(BaseModel):
    """A currency; an amount of it has at most `exponent` decimals."""

    code: str
    name: str
    exponent: int


def _amount(amount: int, code: str | None) -> str:
    currency = currencies().get(code or "")
    return str(amount) if currency is None else format_amount(amount, currency)


def _rate(row: TransactionRow) -> RateBody | None:
    if row.rate_pair is None or row.rate_bid is None or row.rate_ask is None or row.rate_as_of is None:
        return None
    return RateBody(pair=row.rate_pair, bid=row.rate_bid, ask=row.rate_ask, as_of=rfc3339(row.rate_as_of))
