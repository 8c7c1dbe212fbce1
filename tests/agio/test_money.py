"""Amounts and prices: exact on the way in and out, and rounded for nobody but the house."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agio.money import (
    CRYPTO,
    FIAT,
    MAX_AMOUNT,
    MAX_BALANCE,
    AmountProblem,
    Currency,
    convert_down,
    convert_half_even,
    currencies,
    format_amount,
    parse_amount,
    price,
)

CURRENCIES = st.sampled_from(sorted(currencies().values(), key=lambda currency: currency.code))
AMOUNTS = st.integers(1, MAX_AMOUNT)
RATES = st.fractions(Fraction(1, 10**8), 10**8).filter(bool)
DIGITS = st.text("0123456789", min_size=1, max_size=30)


def test_has_the_ecb_and_crypto_currencies_with_their_exponents() -> None:
    known = currencies()
    assert set(known) == {*FIAT, *CRYPTO}
    assert {code: known[code].exponent for code in ("EUR", "JPY", "KRW", "ISK", "BTC", "ETH", "USDC")} == {
        "EUR": 2,
        "JPY": 0,
        "KRW": 0,
        "ISK": 0,
        "BTC": 8,
        "ETH": 8,
        "USDC": 6,
    }


@given(AMOUNTS, CURRENCIES)
def test_an_amount_survives_being_written_and_read(amount: int, currency: Currency) -> None:
    assert parse_amount(format_amount(amount, currency), currency) == amount


@given(st.integers(-MAX_BALANCE, MAX_BALANCE), CURRENCIES)
def test_a_written_balance_is_exactly_its_value(amount: int, currency: Currency) -> None:
    text = format_amount(amount, currency)
    assert Fraction(text) == Fraction(amount, 10**currency.exponent)
    assert len(text.partition(".")[2]) == currency.exponent


@given(CURRENCIES, DIGITS | st.just("0"), DIGITS | st.just("0"))
def test_nothing_is_rounded_on_the_way_in(currency: Currency, whole: str, decimals: str) -> None:
    value = Fraction(f"{whole}.{decimals}") * 10**currency.exponent
    if value == 0:
        expected: int | Fraction | AmountProblem = AmountProblem.INVALID
    elif len(decimals) > currency.exponent:
        expected = AmountProblem.PRECISION  # even when the excess is zeros
    else:
        expected = AmountProblem.LIMIT if value > MAX_AMOUNT else value
    assert parse_amount(f"{whole}.{decimals}", currency) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "+1",
        "-1",
        "0",
        "0.00",
        ".5",
        "5.",
        "1e3",
        "1_000",
        "1,000",
        "0x1",
        "NaN",
        "inf",
        "١",
        "1\n",
        "1.2.3",
    ],
)
def test_what_is_no_positive_plain_number_is_invalid(text: str) -> None:
    assert parse_amount(text, currencies()["EUR"]) is AmountProblem.INVALID


@given(st.text())
def test_any_text_is_an_amount_within_limits_or_a_problem(text: str) -> None:
    result = parse_amount(text, currencies()["BTC"])
    assert isinstance(result, AmountProblem) or 1 <= result <= MAX_AMOUNT


def test_the_largest_amount_is_allowed_and_one_more_is_not() -> None:
    euro = currencies()["EUR"]
    assert parse_amount(format_amount(MAX_AMOUNT, euro), euro) == MAX_AMOUNT
    assert parse_amount(format_amount(MAX_AMOUNT + 1, euro), euro) is AmountProblem.LIMIT


@given(st.integers(1, 10**12), st.integers(0, 12))
def test_a_price_is_read_exactly(digits: int, decimals: int) -> None:
    text = f"{digits // 10**decimals}.{digits % 10**decimals:0{decimals}}" if decimals else str(digits)
    assert price(text) == Fraction(digits, 10**decimals)


@pytest.mark.parametrize("text", ["0", "0.000", "-1", "1e2", "1/3", "NaN", "", " 1", "Infinity"])
def test_a_price_that_is_no_positive_decimal_number_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a positive decimal"):
        price(text)


@given(AMOUNTS, CURRENCIES, CURRENCIES, RATES)
def test_the_customer_gets_at_most_the_exact_amount_and_less_than_a_minor_unit_below(
    amount: int, sold: Currency, bought: Currency, rate: Fraction
) -> None:
    exact = amount * rate * Fraction(10**bought.exponent, 10**sold.exponent)
    assert 0 <= exact - convert_down(amount, sold, bought, rate) < 1


@given(AMOUNTS, CURRENCIES, CURRENCIES, RATES)
def test_exchanging_there_and_back_at_one_price_never_gains(
    amount: int, sold: Currency, bought: Currency, rate: Fraction
) -> None:
    there = convert_down(amount, sold, bought, rate)
    assert convert_down(there, bought, sold, 1 / rate) <= amount


@given(AMOUNTS, AMOUNTS, CURRENCIES, CURRENCIES, RATES)
def test_splitting_an_exchange_never_gains(
    one: int, other: int, sold: Currency, bought: Currency, rate: Fraction
) -> None:
    split = convert_down(one, sold, bought, rate) + convert_down(other, sold, bought, rate)
    assert split <= convert_down(one + other, sold, bought, rate)


@given(st.integers(-MAX_BALANCE, MAX_BALANCE), CURRENCIES, CURRENCIES, RATES)
def test_a_valuation_is_the_nearest_minor_unit(amount: int, sold: Currency, bought: Currency, rate: Fraction) -> None:
    exact = amount * rate * Fraction(10**bought.exponent, 10**sold.exponent)
    shown = convert_half_even(amount, sold, bought, rate)
    assert abs(shown - exact) <= Fraction(1, 2)
    if abs(shown - exact) == Fraction(1, 2):
        assert shown % 2 == 0


@given(AMOUNTS, CURRENCIES, CURRENCIES)
def test_an_exact_conversion_is_not_rounded(amount: int, sold: Currency, bought: Currency) -> None:
    assume(bought.exponent >= sold.exponent)
    assert convert_down(amount, sold, bought, Fraction(1)) == amount * 10 ** (bought.exponent - sold.exponent)
