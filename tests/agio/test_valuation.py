"""The total of a wallet: exact, through whatever quotes connect its currencies, and as old as the oldest of them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import ExchangeRate
from agio.money import FIAT, MAX_BALANCE, currencies
from agio.valuation import Quotes, Valuation, total

BALANCES = st.dictionaries(st.sampled_from(sorted(currencies())), st.integers(-MAX_BALANCE, MAX_BALANCE))
PRICES = st.decimals("0.000001", "1000000", places=6).map(lambda number: format(number, "f"))


def rate(pair: str, bid: str, ask: str | None = None, as_of: int = 1) -> ExchangeRate:
    base, quote = pair.split("-")
    return ExchangeRate(base, quote, bid, bid if ask is None else ask, as_of, "test")


def quotes(*rates: ExchangeRate) -> Quotes:
    known = Quotes()
    for each in rates:
        assert known.update(each)
    return known


@pytest.mark.parametrize(
    ("home", "balances", "rates", "expected"),
    [
        ("EUR", {}, [], Valuation(0, None, ())),
        ("EUR", {"EUR": 1234}, [], Valuation(1234, None, ())),
        ("USD", {"EUR": 10_000}, [rate("EUR-USD", "1.1", "1.3", 7)], Valuation(12_000, 7, ())),
        ("EUR", {"USD": 12_000}, [rate("EUR-USD", "1.1", "1.3", 7)], Valuation(10_000, 7, ())),
        (
            "GBP",
            {"USD": 12_000},
            [rate("EUR-USD", "1.2", as_of=7), rate("EUR-GBP", "0.8", as_of=5)],
            Valuation(8_000, 5, ()),
        ),
        ("EUR", {"BTC": 150_000_000}, [rate("BTC-EUR", "60000.5")], Valuation(9_000_075, 1, ())),
        ("EUR", {"BTC": 10**8}, [rate("BTC-USD", "66000"), rate("EUR-USD", "1.1")], Valuation(6_000_000, 1, ())),
        ("JPY", {"EUR": 100}, [rate("EUR-JPY", "175.68")], Valuation(176, 1, ())),
        ("EUR", {"USD": 5, "EUR": 7}, [], Valuation(7, None, ("USD",))),
        ("EUR", {"USD": 0, "GBP": 0}, [], Valuation(0, None, ())),
        ("EUR", {"XXX": 5, "EUR": 7}, [rate("EUR-XXX", "2")], Valuation(7, None, ("XXX",))),
        ("XXX", {"EUR": 7}, [rate("EUR-XXX", "2")], Valuation(0, None, ("EUR",))),
        ("EUR", {"EUR": -100, "USD": -110}, [rate("EUR-USD", "1.1")], Valuation(-200, 1, ())),
    ],
    ids=[
        "empty",
        "home only",
        "direct, at mid",
        "inverse",
        "through the euro, as old as the older",
        "crypto",
        "crypto through the dollar",
        "no minor units",
        "no quote",
        "nothing held needs no quote",
        "unknown currency",
        "unknown home",
        "negative",
    ],
)
def test_total(home: str, balances: dict[str, int], rates: list[ExchangeRate], expected: Valuation) -> None:
    assert total(balances, home, quotes(*rates)) == expected


def test_a_path_through_two_currencies_counts_as_none() -> None:
    known = quotes(rate("BTC-USD", "2"), rate("EUR-USD", "2"), rate("EUR-GBP", "2"))
    assert total({"BTC": 10**8}, "GBP", known) == Valuation(0, None, ("BTC",))


def test_the_euro_is_preferred_between_two_currencies() -> None:
    known = quotes(
        *(rate(pair, "4") for pair in ("BTC-GBP", "BTC-SEK", "USD-GBP", "USD-SEK")),
        rate("EUR-GBP", "1"),
        rate("EUR-SEK", "3"),
    )
    assert total({"GBP": 100}, "SEK", known).amount == 300


def test_it_rounds_once_at_the_end() -> None:
    """Three times a third of a cent and more is a cent, not three times nothing."""
    known = quotes(*(rate(f"{code}-EUR", "0.34") for code in ("USD", "GBP", "CHF")))
    assert total({"USD": 1, "GBP": 1, "CHF": 1}, "EUR", known).amount == 1


@pytest.mark.parametrize(("cents", "shown"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_a_tie_goes_to_the_even_unit(cents: int, shown: int) -> None:
    assert total({"USD": cents}, "EUR", quotes(rate("USD-EUR", "0.5"))).amount == shown


def test_the_latest_quote_of_a_pair_counts() -> None:
    known = quotes(rate("EUR-USD", "1", as_of=1), rate("EUR-JPY", "9"), rate("EUR-USD", "2", as_of=2))
    assert total({"EUR": 100}, "USD", known) == Valuation(200, 2, ())
    assert [(pair, quote.bid) for pair, quote in known.latest.items()] == [("EUR-USD", "2"), ("EUR-JPY", "9")]


@pytest.mark.parametrize(
    ("pair", "bid", "ask"),
    [
        ("EUR-USD", "0", "1"),
        ("EUR-USD", "-1", "1"),
        ("EUR-USD", "1.2", "1.1"),
        ("EUR-USD", "NaN", "1"),
        ("EUR-USD", "1e1", "1e2"),
        ("EUR-USD", "", ""),
        ("EUR-EUR", "1", "2"),
    ],
)
def test_a_quote_that_makes_no_sense_is_left_out(pair: str, bid: str, ask: str) -> None:
    known = quotes(rate("EUR-USD", "1.1"))
    assert not known.update(rate(pair, bid, ask, as_of=2))
    assert list(known.latest.values()) == [rate("EUR-USD", "1.1")]
    assert total({"EUR": 100}, "USD", known) == Valuation(110, 1, ())


@given(BALANCES, st.sampled_from(FIAT), st.lists(PRICES, min_size=len(currencies()), max_size=len(currencies())))
def test_the_total_is_the_exact_sum_rounded_once(balances: dict[str, int], home: str, prices: list[str]) -> None:
    """With all currencies quoted in euro; the expected value is computed the slow and obvious way."""
    in_euro = {code: Fraction(text) for code, text in zip(sorted(currencies()), prices, strict=True)} | {
        "EUR": Fraction(1)
    }
    known = quotes(*(rate(f"{code}-EUR", format_decimal(worth)) for code, worth in in_euro.items() if code != "EUR"))
    exact = sum(
        (
            Fraction(amount, 10 ** currencies()[code].exponent) * in_euro[code] / in_euro[home]
            for code, amount in balances.items()
        ),
        Fraction(0),
    )
    result = total(balances, home, known)
    assert result.amount == round(exact * 10 ** currencies()[home].exponent)
    assert result.missing == ()


@given(BALANCES, BALANCES, PRICES)
def test_two_wallets_together_are_worth_their_sum_within_a_minor_unit(
    one: dict[str, int], other: dict[str, int], text: str
) -> None:
    known = quotes(*(rate(f"EUR-{code}", text) for code in currencies() if code != "EUR"))
    both = {code: one.get(code, 0) + other.get(code, 0) for code in {*one, *other}}
    apart = total(one, "EUR", known).amount + total(other, "EUR", known).amount
    assert abs(total(both, "EUR", known).amount - apart) <= 1


def format_decimal(number: Fraction) -> str:
    """A fraction of millionths as a decimal number."""
    millionths = number * 10**6
    assert millionths.denominator == 1
    return f"{millionths.numerator // 10**6}.{millionths.numerator % 10**6:06}"
