"""The ledger's rules, pure: what becomes of a request, and what that does to an account.

Double entry: each transaction carries postings that sum to zero in every currency. An exchange goes through the
house's liquidity and is rounded once, in favour of the house. The same request on the same ledger at the same time with
the same quote gives the same outcome, so a decision can be checked afterwards by deciding again.
"""

from collections.abc import Callable
from fractions import Fraction
from hashlib import blake2b
from typing import NoReturn

from msgspec import Struct, field, msgpack

from agio.contracts.events import (
    Account,
    Posting,
    RateUsed,
    Reason,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
    TransactionType,
)
from agio.money import (
    MAX_BALANCE,
    AmountProblem,
    Currency,
    convert_down,
    currencies,
    format_amount,
    parse_amount,
    price,
)

MAX_RATE_AGE_MS = 30_000

Outcome = Transaction | RejectedTransaction
# Finds the latest quote of a pair such as EUR-USD.
QuoteOf = Callable[[str], RateUsed | None]

_ORDER = {reason: place for place, reason in enumerate(Reason)}

CARD, BANK, LIQUIDITY = "external:card", "external:bank", "house:liquidity"


class Ledger(Struct, frozen=True):
    """What the ledger knows of one account: its last sequence and its balances, in minor units; none is zero."""

    sequence: int = 0
    balances: dict[str, int] = field(default_factory=dict)


class _Refusal(Exception):
    """Leaves the checks of one decision; never leaves this module."""

    def __init__(self, reason: Reason, message: str, rate: RateUsed | None = None) -> None:
        self.reason, self.message, self.rate = reason, message, rate


def digest(request: TransactionRequest) -> str:
    """Fingerprint of what is wanted: equal for a repeated request, whenever and from whichever card it was sent."""
    content = (
        request.account_id,
        request.type,
        request.currency,
        request.amount,
        request.buy_currency,
        request.min_buy_amount,
        request.iban,
    )
    return blake2b(msgpack.encode(content), digest_size=16).hexdigest()


def decide(
    ledger: Ledger,
    request: TransactionRequest,
    reference: RequestReference,
    key: str,
    account: Account | None,
    quote_of: QuoteOf,
    now_ms: int,
) -> Outcome:
    """Do what is wanted or refuse it for the first Reason, in Reason's order, that applies.

    `key`: the record's key, whose ledger this is. `account`: as the account database has it, None if it has none.
    """
    try:
        postings, rate = _post(ledger, request, key, account, quote_of, now_ms)
    except _Refusal as refusal:
        return _rejected(ledger, request, reference, key, refusal, now_ms)
    return Transaction(
        transaction_id=request.transaction_id,
        account_id=key,
        type=request.type,
        sequence=ledger.sequence + 1,
        postings=postings,
        balances=_balances_after(ledger.balances, postings, f"user:{key}"),
        rate=rate,
        request=reference,
        request_digest=digest(request),
        decided_at=now_ms,
    )


def conflict(
    ledger: Ledger, request: TransactionRequest, reference: RequestReference, key: str, now_ms: int
) -> RejectedTransaction:
    """Refuse a request whose identity was used for another content before."""
    refusal = _Refusal(Reason.IDEMPOTENCY_CONFLICT, "This request's identity was used for a different request before.")
    return _rejected(ledger, request, reference, key, refusal, now_ms)


def evolve(ledger: Ledger, outcome: Outcome) -> Ledger:
    """Apply an outcome, live and on replay alike."""
    if isinstance(outcome, Transaction):
        return Ledger(outcome.sequence, outcome.balances)
    return ledger


def _post(
    ledger: Ledger,
    request: TransactionRequest,
    key: str,
    account: Account | None,
    quote_of: QuoteOf,
    now_ms: int,
) -> tuple[list[Posting], RateUsed | None]:
    _check_shape(request, key)
    if account is None:
        raise _Refusal(Reason.UNKNOWN_ACCOUNT, "There is no such account.")
    if account.status != "active":
        raise _Refusal(Reason.ACCOUNT_CLOSED, "The account is closed.")
    currency = _currency(request.currency)
    user = f"user:{key}"
    if request.type is TransactionType.EXCHANGE:
        return _exchange(ledger, request, currency, user, quote_of, now_ms)
    amount = _amount(request.amount, currency)
    if request.type is TransactionType.DEPOSIT:
        _check_limit(ledger, currency, amount)
        return [Posting(CARD, currency.code, -amount), Posting(user, currency.code, amount)], None
    _check_funds(ledger, currency, amount)
    return [Posting(user, currency.code, -amount), Posting(BANK, currency.code, amount)], None


def _exchange(
    ledger: Ledger, request: TransactionRequest, sold: Currency, user: str, quote_of: QuoteOf, now_ms: int
) -> tuple[list[Posting], RateUsed]:
    bought = _currency(request.buy_currency or "")
    sell_amount, least = _amounts(request, sold, bought)
    if sold.code == bought.code:
        raise _Refusal(Reason.SAME_CURRENCY, f"{sold.code} cannot be exchanged for itself.")
    rate, bought_per_sold = _rate(sold, bought, quote_of, now_ms)
    buy_amount = convert_down(sell_amount, sold, bought, bought_per_sold)
    if buy_amount == 0:
        raise _Refusal(
            Reason.AMOUNT_TOO_SMALL, f"{request.amount} {sold.code} buys less than the smallest {bought.code}.", rate
        )
    _check_limit(ledger, bought, buy_amount, rate)
    if least is not None and buy_amount < least:
        got = format_amount(buy_amount, bought)
        raise _Refusal(
            Reason.SLIPPAGE_EXCEEDED, f"It would have bought {got} {bought.code}, less than the least you accept.", rate
        )
    _check_funds(ledger, sold, sell_amount, rate)
    return [
        Posting(user, sold.code, -sell_amount),
        Posting(LIQUIDITY, sold.code, sell_amount),
        Posting(LIQUIDITY, bought.code, -buy_amount),
        Posting(user, bought.code, buy_amount),
    ], rate


def _rate(sold: Currency, bought: Currency, quote_of: QuoteOf, now_ms: int) -> tuple[RateUsed, Fraction]:
    """The quote for the two currencies, and the price in `bought` of one `sold`: the house's side of the spread."""
    direct = quote_of(f"{sold.code}-{bought.code}")
    rate = direct or quote_of(f"{bought.code}-{sold.code}")
    if rate is None:
        raise _Refusal(Reason.RATE_UNAVAILABLE, f"There is no rate between {sold.code} and {bought.code} now.")
    prices = _prices(rate)
    if prices is None:
        raise _Refusal(
            Reason.RATE_UNAVAILABLE, f"The last rate between {sold.code} and {bought.code} is unusable.", rate
        )
    # A quote from the future is as little of now as one from the past.
    if abs(now_ms - rate.as_of) > MAX_RATE_AGE_MS:
        raise _Refusal(
            Reason.RATE_STALE, f"The last rate between {sold.code} and {bought.code} is too old to trade on.", rate
        )
    bid, ask = prices
    return rate, bid if direct else 1 / ask


def _prices(rate: RateUsed) -> tuple[Fraction, Fraction] | None:
    """Bid and ask, or None for what nobody may trade on: no positive numbers, or a bid above the ask."""
    try:
        bid, ask = price(rate.bid), price(rate.ask)
    except ValueError:
        return None
    return (bid, ask) if bid <= ask else None


def _check_shape(request: TransactionRequest, key: str) -> None:
    if request.account_id != key:
        _invalid("The request's account is not the one it was sent for.")
    if not request.transaction_id:
        _invalid("The request has no identity.")
    if request.type is TransactionType.EXCHANGE and not request.buy_currency:
        _invalid("An exchange needs a currency to buy.")
    if request.type is TransactionType.WITHDRAWAL and not request.iban:
        _invalid("A withdrawal needs a bank account.")


def _invalid(message: str) -> NoReturn:
    raise _Refusal(Reason.INVALID_REQUEST, message)


def _currency(code: str) -> Currency:
    currency = currencies().get(code)
    if currency is None:
        raise _Refusal(Reason.UNSUPPORTED_CURRENCY, f"{code[:12]!r} is not a currency of this exchange.")
    return currency


def _amounts(request: TransactionRequest, sold: Currency, bought: Currency) -> tuple[int, int | None]:
    """Read both amounts of an exchange; of two that are wrong, the one with the earlier reason is told."""
    texts = [(request.amount, sold)]
    if request.min_buy_amount is not None:
        texts.append((request.min_buy_amount, bought))
    amounts, refusals = [], []
    for text, currency in texts:
        try:
            amounts.append(_amount(text, currency))
        except _Refusal as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: _ORDER[refusal.reason])
    return amounts[0], amounts[1] if len(amounts) > 1 else None


def _amount(text: str, currency: Currency) -> int:
    amount = parse_amount(text, currency)
    if isinstance(amount, int):
        return amount
    shown = repr(text[:40])
    if amount is AmountProblem.PRECISION:
        raise _Refusal(Reason.AMOUNT_PRECISION, f"{currency.code} has {currency.exponent} decimals; {shown} has more.")
    if amount is AmountProblem.LIMIT:
        raise _Refusal(Reason.LIMIT_EXCEEDED, f"{shown} {currency.code} is more than one request may move.")
    raise _Refusal(Reason.INVALID_AMOUNT, f"{shown} is not an amount above zero.")


def _check_limit(ledger: Ledger, currency: Currency, amount: int, rate: RateUsed | None = None) -> None:
    if ledger.balances.get(currency.code, 0) + amount > MAX_BALANCE:
        raise _Refusal(Reason.LIMIT_EXCEEDED, f"The {currency.code} balance would be more than is allowed.", rate)


def _check_funds(ledger: Ledger, currency: Currency, amount: int, rate: RateUsed | None = None) -> None:
    balance = ledger.balances.get(currency.code, 0)
    if balance < amount:
        held, wanted = format_amount(balance, currency), format_amount(amount, currency)
        raise _Refusal(
            Reason.INSUFFICIENT_FUNDS, f"The balance of {held} {currency.code} does not cover {wanted}.", rate
        )


def _balances_after(balances: dict[str, int], postings: list[Posting], user: str) -> dict[str, int]:
    after = dict(balances)
    for posting in postings:
        if posting.account == user:
            balance = after.pop(posting.currency, 0) + posting.amount
            if balance:
                after[posting.currency] = balance
    return after


def _rejected(
    ledger: Ledger,
    request: TransactionRequest,
    reference: RequestReference,
    key: str,
    refusal: _Refusal,
    now_ms: int,
) -> RejectedTransaction:
    return RejectedTransaction(
        transaction_id=request.transaction_id,
        account_id=key,
        type=request.type,
        reason=refusal.reason,
        message=refusal.message,
        sequence=ledger.sequence,
        rate=refusal.rate,
        request=reference,
        request_digest=digest(request),
        decided_at=now_ms,
    )
