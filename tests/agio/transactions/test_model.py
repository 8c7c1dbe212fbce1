"""The ledger's rules: every reason, their order, the boundaries, and what holds for whatever history."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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
from agio.money import MAX_AMOUNT, MAX_BALANCE, currencies
from agio.transactions.model import MAX_RATE_AGE_MS, Ledger, Outcome, conflict, decide, digest, evolve

NOW = 1_700_000_000_000
REFERENCE = RequestReference("transaction-requests", 2, 41)
ACCOUNT = Account("a", "anna", "Anna", "EUR", "active", NOW)
EUR_USD = RateUsed("EUR-USD", "1.1", "1.2", NOW, 0, 7)
IBAN = "DE02120300000000202051"


@dataclass(frozen=True)
class Case:
    """Everything a decision depends on; as it stands, one that succeeds."""

    request: TransactionRequest
    balances: dict[str, int] = field(default_factory=lambda: {"EUR": 10_000})
    key: str = "a"
    account: Account | None = ACCOUNT
    quotes: dict[str, RateUsed] = field(default_factory=lambda: {"EUR-USD": EUR_USD})
    now_ms: int = NOW

    def asking(self, **changes: Any) -> "Case":
        return replace(self, request=msgspec.structs.replace(self.request, **changes))

    def holding(self, **balances: int) -> "Case":
        return replace(self, balances={**self.balances, **balances})

    def quoted(self, **changes: Any) -> "Case":
        return replace(self, quotes={"EUR-USD": msgspec.structs.replace(EUR_USD, **changes)})

    def decide(self) -> Outcome:
        ledger = Ledger(5, self.balances)
        return decide(ledger, self.request, REFERENCE, self.key, self.account, self.quotes.get, self.now_ms)


DEPOSIT = Case(TransactionRequest("t", "a", TransactionType.DEPOSIT, "EUR", "25.00", card="tok 4242"))
WITHDRAWAL = Case(TransactionRequest("t", "a", TransactionType.WITHDRAWAL, "EUR", "25.00", iban=IBAN))
EXCHANGE = Case(TransactionRequest("t", "a", TransactionType.EXCHANGE, "EUR", "25.00", "USD"))
SELL_USD = EXCHANGE.asking(currency="USD", buy_currency="EUR").holding(USD=10_000)


@pytest.mark.parametrize(
    ("case", "postings", "balances", "rate"),
    [
        pytest.param(
            DEPOSIT,
            [Posting("external:card", "EUR", -2500), Posting("user:a", "EUR", 2500)],
            {"EUR": 12_500},
            None,
            id="deposit",
        ),
        pytest.param(
            WITHDRAWAL,
            [Posting("user:a", "EUR", -2500), Posting("external:bank", "EUR", 2500)],
            {"EUR": 7_500},
            None,
            id="withdrawal",
        ),
        pytest.param(
            EXCHANGE,
            [
                Posting("user:a", "EUR", -2500),
                Posting("house:liquidity", "EUR", 2500),
                Posting("house:liquidity", "USD", -2750),
                Posting("user:a", "USD", 2750),
            ],
            {"EUR": 7_500, "USD": 2750},
            EUR_USD,
            id="exchange sells the base at the bid",
        ),
        pytest.param(
            SELL_USD,
            [
                Posting("user:a", "USD", -2500),
                Posting("house:liquidity", "USD", 2500),
                Posting("house:liquidity", "EUR", -2083),
                Posting("user:a", "EUR", 2083),
            ],
            {"EUR": 12_083, "USD": 7_500},
            EUR_USD,
            id="exchange buys the base at the ask",
        ),
    ],
)
def test_a_fulfilled_request_is_one_complete_transaction(
    case: Case, postings: list[Posting], balances: dict[str, int], rate: RateUsed | None
) -> None:
    assert case.decide() == Transaction(
        "t", "a", case.request.type, 6, postings, balances, rate, REFERENCE, digest(case.request), NOW
    )


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        pytest.param(replace(DEPOSIT, key="b"), Reason.INVALID_REQUEST, id="sent under another account's key"),
        pytest.param(DEPOSIT.asking(transaction_id=""), Reason.INVALID_REQUEST, id="no identity"),
        pytest.param(EXCHANGE.asking(buy_currency=None), Reason.INVALID_REQUEST, id="exchange for nothing"),
        pytest.param(EXCHANGE.asking(buy_currency=""), Reason.INVALID_REQUEST, id="exchange for an empty code"),
        pytest.param(WITHDRAWAL.asking(iban=None), Reason.INVALID_REQUEST, id="withdrawal to nowhere"),
        pytest.param(WITHDRAWAL.asking(iban=""), Reason.INVALID_REQUEST, id="withdrawal to an empty IBAN"),
        pytest.param(replace(DEPOSIT, account=None), Reason.UNKNOWN_ACCOUNT, id="unknown account"),
        pytest.param(
            replace(DEPOSIT, account=msgspec.structs.replace(ACCOUNT, status="closed")),
            Reason.ACCOUNT_CLOSED,
            id="closed account",
        ),
        pytest.param(
            replace(DEPOSIT, account=msgspec.structs.replace(ACCOUNT, status="")),
            Reason.ACCOUNT_CLOSED,
            id="account of unknown status",
        ),
        pytest.param(DEPOSIT.asking(currency="XXX"), Reason.UNSUPPORTED_CURRENCY, id="deposit of no currency"),
        pytest.param(DEPOSIT.asking(currency="eur"), Reason.UNSUPPORTED_CURRENCY, id="lower-case code"),
        pytest.param(DEPOSIT.asking(currency=""), Reason.UNSUPPORTED_CURRENCY, id="empty code"),
        pytest.param(EXCHANGE.asking(buy_currency="XXX"), Reason.UNSUPPORTED_CURRENCY, id="exchange for no currency"),
        *(
            pytest.param(DEPOSIT.asking(amount=text), Reason.INVALID_AMOUNT, id=f"amount {text!r}")
            for text in ["", "0", "0.00", "-1", "+1", "1e3", "1,5", ".5", "5.", " 1", "1 ", "NaN", "\u0661", "1_000"]
        ),
        pytest.param(EXCHANGE.asking(min_buy_amount="0"), Reason.INVALID_AMOUNT, id="accepts nothing"),
        pytest.param(DEPOSIT.asking(amount="1.001"), Reason.AMOUNT_PRECISION, id="a tenth of a cent"),
        pytest.param(DEPOSIT.asking(amount="1.000"), Reason.AMOUNT_PRECISION, id="superfluous zero"),
        pytest.param(DEPOSIT.asking(currency="JPY", amount="1.0"), Reason.AMOUNT_PRECISION, id="yen have no decimals"),
        pytest.param(EXCHANGE.asking(min_buy_amount="1.001"), Reason.AMOUNT_PRECISION, id="accepts a tenth of a cent"),
        pytest.param(DEPOSIT.asking(amount="100000000000.01"), Reason.LIMIT_EXCEEDED, id="a cent more than allowed"),
        pytest.param(
            EXCHANGE.asking(min_buy_amount="100000000000.01"), Reason.LIMIT_EXCEEDED, id="accepts a cent too much"
        ),
        pytest.param(DEPOSIT.holding(EUR=MAX_BALANCE - 2499), Reason.LIMIT_EXCEEDED, id="deposit fills the balance"),
        pytest.param(EXCHANGE.holding(USD=MAX_BALANCE - 2749), Reason.LIMIT_EXCEEDED, id="exchange fills the balance"),
        pytest.param(EXCHANGE.asking(buy_currency="EUR"), Reason.SAME_CURRENCY, id="for itself"),
        pytest.param(replace(EXCHANGE, quotes={}), Reason.RATE_UNAVAILABLE, id="no quote"),
        pytest.param(EXCHANGE.quoted(bid="0"), Reason.RATE_UNAVAILABLE, id="bid of zero"),
        pytest.param(EXCHANGE.quoted(bid="1e3"), Reason.RATE_UNAVAILABLE, id="unreadable bid"),
        pytest.param(SELL_USD.quoted(ask="0"), Reason.RATE_UNAVAILABLE, id="ask of zero"),
        pytest.param(replace(EXCHANGE, now_ms=NOW + MAX_RATE_AGE_MS + 1), Reason.RATE_STALE, id="quote one ms too old"),
        pytest.param(EXCHANGE.quoted(bid="0.0003999"), Reason.AMOUNT_TOO_SMALL, id="buys less than a cent"),
        pytest.param(EXCHANGE.asking(min_buy_amount="27.51"), Reason.SLIPPAGE_EXCEEDED, id="a cent less than accepted"),
        pytest.param(WITHDRAWAL.holding(EUR=2499), Reason.INSUFFICIENT_FUNDS, id="withdrawal short of a cent"),
        pytest.param(EXCHANGE.holding(EUR=2499), Reason.INSUFFICIENT_FUNDS, id="exchange short of a cent"),
        pytest.param(WITHDRAWAL.asking(currency="USD"), Reason.INSUFFICIENT_FUNDS, id="withdrawal of what is not held"),
    ],
)
def test_a_refused_request_says_why(case: Case, reason: Reason) -> None:
    outcome = case.decide()
    assert isinstance(outcome, RejectedTransaction)
    assert outcome.reason is reason
    assert outcome.message
    assert outcome.sequence == 5
    assert (outcome.transaction_id, outcome.account_id) == (case.request.transaction_id, case.key)
    assert (outcome.request, outcome.request_digest) == (REFERENCE, digest(case.request))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(DEPOSIT.asking(amount="100000000000.00"), id="as much as one request may move"),
        pytest.param(DEPOSIT.holding(EUR=MAX_BALANCE - 2500), id="deposit fills the balance exactly"),
        pytest.param(EXCHANGE.holding(USD=MAX_BALANCE - 2750), id="exchange fills the balance exactly"),
        pytest.param(DEPOSIT.asking(amount="0.01"), id="one cent"),
        pytest.param(DEPOSIT.asking(amount="0025.5"), id="leading zeros, fewer decimals"),
        pytest.param(DEPOSIT.asking(currency="BTC", amount="0.00000001"), id="one satoshi"),
        pytest.param(replace(EXCHANGE, now_ms=NOW + MAX_RATE_AGE_MS), id="quote as old as allowed"),
        pytest.param(EXCHANGE.quoted(bid="0.0004"), id="buys exactly one cent"),
        pytest.param(EXCHANGE.asking(min_buy_amount="27.50"), id="exactly what is accepted"),
        pytest.param(WITHDRAWAL.holding(EUR=2500), id="withdrawal of everything"),
        pytest.param(EXCHANGE.holding(EUR=2500), id="exchange of everything"),
    ],
)
def test_the_last_value_allowed_is_allowed(case: Case) -> None:
    assert isinstance(case.decide(), Transaction)


def test_a_balance_that_becomes_zero_is_gone() -> None:
    outcome = WITHDRAWAL.holding(EUR=2500, USD=1).decide()
    assert isinstance(outcome, Transaction)
    assert outcome.balances == {"USD": 1}


# Each flaw alone leads to its reason; flaws that touch different parts of the case can be combined.
FLAWS: list[tuple[Reason, str, Callable[[Case], Case]]] = [
    (Reason.INVALID_REQUEST, "identity", lambda case: case.asking(transaction_id="")),
    (Reason.UNKNOWN_ACCOUNT, "account", lambda case: replace(case, account=None)),
    (
        Reason.ACCOUNT_CLOSED,
        "account",
        lambda case: replace(case, account=msgspec.structs.replace(ACCOUNT, status="closed")),
    ),
    (Reason.UNSUPPORTED_CURRENCY, "bought", lambda case: case.asking(buy_currency="XXX")),
    (Reason.INVALID_AMOUNT, "amount", lambda case: case.asking(amount="-1")),
    (Reason.INVALID_AMOUNT, "least", lambda case: case.asking(min_buy_amount="-1")),
    (Reason.AMOUNT_PRECISION, "amount", lambda case: case.asking(amount="1.001")),
    (Reason.AMOUNT_PRECISION, "least", lambda case: case.asking(min_buy_amount="1.001")),
    (Reason.LIMIT_EXCEEDED, "amount", lambda case: case.asking(amount="9" * 20)),
    (Reason.LIMIT_EXCEEDED, "least", lambda case: case.asking(min_buy_amount="9" * 20)),
    (Reason.LIMIT_EXCEEDED, "bought balance", lambda case: case.holding(USD=MAX_BALANCE)),
    (Reason.SAME_CURRENCY, "bought", lambda case: case.asking(buy_currency="EUR")),
    (Reason.RATE_UNAVAILABLE, "missing", lambda case: replace(case, quotes={})),
    (Reason.RATE_UNAVAILABLE, "unusable", lambda case: case.quoted(bid="0")),
    (Reason.RATE_STALE, "time", lambda case: replace(case, now_ms=NOW + MAX_RATE_AGE_MS + 1)),
    (Reason.AMOUNT_TOO_SMALL, "quote", lambda case: case.quoted(bid="0.0001")),
    (Reason.SLIPPAGE_EXCEEDED, "least", lambda case: case.asking(min_buy_amount="99999.00")),
    (Reason.INSUFFICIENT_FUNDS, "sold balance", lambda case: case.holding(EUR=0)),
]
PRECEDENCE = list(Reason)
# How much would be bought is unknown without a rate to trade on, so this limit cannot be exceeded then.
NEEDS_A_RATE = {Reason.SAME_CURRENCY, Reason.RATE_UNAVAILABLE, Reason.RATE_STALE, Reason.AMOUNT_TOO_SMALL}


def _can_meet(one: tuple[Reason, str, Any], other: tuple[Reason, str, Any]) -> bool:
    if "bought balance" in (one[1], other[1]) and NEEDS_A_RATE & {one[0], other[0]}:
        return False
    return one[1] != other[1] and one[0] != other[0] and not {one[1], other[1]} < {"quote", "missing", "unusable"}


def _pairs() -> list[Any]:
    pairs = []
    for one, other in combinations(FLAWS, 2):
        if _can_meet(one, other):
            names = [f"{reason} ({part})" for reason, part, _ in (one, other)]
            pairs.append(pytest.param(one, other, id=" and ".join(names)))
    return pairs


@pytest.mark.parametrize(("one", "other"), _pairs())
def test_the_first_reason_wins(one: tuple[Reason, str, Any], other: tuple[Reason, str, Any]) -> None:
    for case in (one[2](other[2](EXCHANGE)), other[2](one[2](EXCHANGE))):
        outcome = case.decide()
        assert isinstance(outcome, RejectedTransaction)
        assert outcome.reason is min(one[0], other[0], key=PRECEDENCE.index)


def test_every_reason_but_the_conflict_has_a_flaw() -> None:
    assert {reason for reason, _, _ in FLAWS} == set(Reason) - {Reason.UNKNOWN, Reason.IDEMPOTENCY_CONFLICT}


@pytest.mark.parametrize(
    ("case", "looked_at"),
    [
        pytest.param(EXCHANGE.asking(amount="x"), False, id="refused before a rate was needed"),
        pytest.param(replace(EXCHANGE, quotes={}), False, id="there was none"),
        pytest.param(replace(EXCHANGE, now_ms=NOW + MAX_RATE_AGE_MS + 1), True, id="stale"),
        pytest.param(EXCHANGE.asking(min_buy_amount="99.00"), True, id="slippage"),
        pytest.param(EXCHANGE.holding(USD=MAX_BALANCE), True, id="limit"),
        pytest.param(EXCHANGE.holding(EUR=0), True, id="insufficient funds"),
    ],
)
def test_a_refusal_carries_the_rate_it_looked_at(case: Case, looked_at: bool) -> None:
    assert case.decide().rate == (EUR_USD if looked_at else None)


def test_a_conflict_changes_nothing_and_names_the_sequence() -> None:
    ledger = Ledger(5, {"EUR": 1})
    outcome = conflict(ledger, DEPOSIT.request, REFERENCE, "a", NOW)
    assert outcome.reason is Reason.IDEMPOTENCY_CONFLICT
    assert (outcome.sequence, outcome.rate, outcome.request_digest) == (5, None, digest(DEPOSIT.request))
    assert evolve(ledger, outcome) is ledger


@pytest.mark.parametrize("field", ["account_id", "currency", "amount", "buy_currency", "min_buy_amount", "iban"])
def test_another_content_has_another_digest(field: str) -> None:
    assert digest(msgspec.structs.replace(EXCHANGE.request, **{field: "other"})) != digest(EXCHANGE.request)


@pytest.mark.parametrize("changes", [{"card": "tok 1"}, {"requested_at": 9}, {"transaction_id": "u"}], ids=str)
def test_sending_again_keeps_the_digest(changes: dict[str, Any]) -> None:
    assert digest(msgspec.structs.replace(DEPOSIT.request, **changes)) == digest(DEPOSIT.request)


TEXTS = st.sampled_from(["", "1", "11", "111", "EUR", "\x00", "a\x00b"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=3
)
CONTENTS = st.tuples(
    TEXTS, st.sampled_from(TransactionType), TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.none() | TEXTS
)


@given(CONTENTS, CONTENTS)
def test_digests_are_equal_exactly_when_contents_are(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    def digest_of(content: tuple[Any, ...]) -> str:
        account_id, type_, currency, amount, buy_currency, min_buy_amount, iban = content
        return digest(
            TransactionRequest("t", account_id, type_, currency, amount, buy_currency, min_buy_amount, None, iban)
        )

    assert (digest_of(one) == digest_of(other)) == (one == other)


CODES = st.sampled_from(["EUR", "USD", "JPY", "BTC", "ETH", "IDR"])
AMOUNTS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.decimals("0.00000001", 10**6, places=8).map(lambda value: f"{value:f}"),
    st.decimals("0.01", 10**6, places=2).map(lambda value: f"{value:f}"),
    st.integers(1, 3 * MAX_AMOUNT).map(str),
)
PRICES = st.decimals("0.000001", "100000", places=6).map(lambda value: f"{value:f}")
REQUESTS = st.builds(
    TransactionRequest,
    transaction_id=st.just("t"),
    account_id=st.just("a"),
    type=st.sampled_from(TransactionType),
    currency=CODES,
    amount=AMOUNTS,
    buy_currency=CODES,
    min_buy_amount=st.none() | AMOUNTS,
    iban=st.just(IBAN),
)


class History(RuleBasedStateMachine):
    """One account's life: whatever is asked at whatever price, the books stay right."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.quotes: dict[str, RateUsed] = {}
        self.now_ms = NOW
        self.outcomes: list[Outcome] = []

    @rule(base=CODES, quote=CODES, bid=PRICES, ask=PRICES)
    def quotes_a_rate(self, base: str, quote: str, bid: str, ask: str) -> None:
        pair = f"{base}-{quote}"
        self.quotes[pair] = RateUsed(pair, bid, ask, self.now_ms, 0, len(self.outcomes))

    @rule(by_ms=st.integers(1, MAX_RATE_AGE_MS))
    def passes_time(self, by_ms: int) -> None:
        self.now_ms += by_ms

    @rule(currency=CODES, amount=st.integers(1, 10**6).map(str))
    def deposits(self, currency: str, amount: str) -> None:
        self._ask(TransactionRequest("t", "a", TransactionType.DEPOSIT, currency, amount))

    @rule(request=REQUESTS)
    def asks(self, request: TransactionRequest) -> None:
        self._ask(request)

    def _ask(self, request: TransactionRequest) -> None:
        before = self.ledger
        arguments = (before, request, REFERENCE, "a", ACCOUNT, self.quotes.get, self.now_ms)
        outcome = decide(*arguments)
        assert outcome == decide(*arguments), "deciding again gives another outcome"
        assert before.balances == self.ledger.balances, "deciding changed the ledger"
        self.ledger = evolve(before, outcome)
        self.outcomes.append(outcome)
        if isinstance(outcome, Transaction):
            assert outcome.sequence == before.sequence + 1
            self._check_conversion(outcome)
        else:
            assert self.ledger == before
            assert outcome.sequence == before.sequence

    def _check_conversion(self, transaction: Transaction) -> None:
        """The customer gets the exact value at the house's side of the spread, less a part of one minor unit."""
        rate = transaction.rate
        if rate is None:
            return
        sold, _, _, bought = transaction.postings
        base, _ = rate.pair.split("-")
        price = Fraction(rate.bid) if sold.currency == base else 1 / Fraction(rate.ask)
        exponents = currencies()[bought.currency].exponent - currencies()[sold.currency].exponent
        exact = -sold.amount * price * Fraction(10) ** exponents
        assert 0 <= exact - bought.amount < 1

    @invariant()
    def postings_sum_to_zero(self) -> None:
        for outcome in self.outcomes[-1:]:
            sums: dict[str, int] = defaultdict(int)
            for posting in outcome.postings if isinstance(outcome, Transaction) else []:
                assert posting.amount != 0
                sums[posting.currency] += posting.amount
            assert not any(sums.values())

    @invariant()
    def balances_are_the_sum_of_the_postings_and_never_negative(self) -> None:
        balances: dict[str, int] = defaultdict(int)
        for outcome in self.outcomes:
            for posting in outcome.postings if isinstance(outcome, Transaction) else []:
                if posting.account == "user:a":
                    balances[posting.currency] += posting.amount
        assert self.ledger.balances == {currency: balance for currency, balance in balances.items() if balance}
        assert all(0 < balance <= MAX_BALANCE for balance in self.ledger.balances.values())

    @invariant()
    def the_sequence_counts_the_transactions(self) -> None:
        assert self.ledger.sequence == sum(isinstance(outcome, Transaction) for outcome in self.outcomes)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
