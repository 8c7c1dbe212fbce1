"""Which quotes are news."""

import pytest

from agio.contracts.events import ExchangeRate
from agio.rates.publisher import REFRESH_MS, is_news

SAID = ExchangeRate("EUR", "USD", "1.1", "1.2", 1_700_000_000_000, "test")


@pytest.mark.parametrize(
    ("bid", "ask", "later_ms", "expected"),
    [
        ("1.1", "1.2", 0, False),
        ("1.1", "1.2", REFRESH_MS - 1, False),
        ("1.1", "1.2", REFRESH_MS, True),
        ("1.11", "1.2", 0, True),
        ("1.1", "1.21", 0, True),
        ("1.1", "1.2", -1, True),
    ],
    ids=["same", "same, soon", "due for a refresh", "other bid", "other ask", "the clock was set back"],
)
def test_a_quote_is_news_when_it_differs_or_is_due(bid: str, ask: str, later_ms: int, expected: bool) -> None:
    quote = ExchangeRate("EUR", "USD", bid, ask, SAID.as_of + later_ms, "test")
    assert is_news(quote, SAID) is expected


def test_the_first_quote_of_a_pair_is_news() -> None:
    assert is_news(SAID, None)
