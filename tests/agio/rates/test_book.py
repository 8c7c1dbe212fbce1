"""The top of a book as a quote: prices in one spelling, nonsense named."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import ExchangeRate
from agio.money import price
from agio.rates.book import Problem, book_top


def top(bid: str, ask: str) -> ExchangeRate | Problem:
    return book_top("BTC", "EUR", Decimal(bid), Decimal(ask), 1, "test")


@pytest.mark.parametrize(
    ("bid", "ask", "texts"),
    [
        ("180.46", "180.47", ("180.46", "180.47")),
        ("180.46000000", "180.50", ("180.46", "180.5")),
        ("100", "2E+2", ("100", "200")),
        ("100.00", "1E+15", ("100", "1000000000000000")),
        ("1E-8", "0.00000002", ("0.00000001", "0.00000002")),
    ],
)
def test_equal_prices_are_equal_texts(bid: str, ask: str, texts: tuple[str, str]) -> None:
    assert top(bid, ask) == ExchangeRate("BTC", "EUR", *texts, 1, "test")


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ("2", "1"),
        ("1", "1"),
        ("0", "1"),
        ("-1", "1"),
        ("NaN", "1"),
        ("1", "NaN"),
        ("sNaN", "1"),
        ("1", "Infinity"),
        ("1", "1E+999999"),
        ("1E-999999", "1"),
        ("1", "1." + "1" * 40),
    ],
    ids=str,
)
def test_a_book_without_sense_is_a_problem(bid: str, ask: str) -> None:
    problem = top(bid, ask)
    assert isinstance(problem, Problem)
    assert "BTC-EUR" in problem.text
    assert len(problem.text) < 150


@given(st.decimals(), st.decimals())
def test_what_passes_is_exact_and_readable_by_everyone(bid: Decimal, ask: Decimal) -> None:
    quote = book_top("BTC", "EUR", bid, ask, 1, "test")
    if isinstance(quote, ExchangeRate):
        assert (price(quote.bid), price(quote.ask)) == (Fraction(bid), Fraction(ask))
        assert price(quote.bid) < price(quote.ask)
