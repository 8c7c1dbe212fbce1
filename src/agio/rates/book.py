"""The top of a provider's order book, as a quote."""

from dataclasses import dataclass
from decimal import Decimal

from agio.contracts.events import ExchangeRate

# Prices of sense lie between 10 ** -MAX_MAGNITUDE and 10 ** MAX_MAGNITUDE, and have at most MAX_LENGTH characters.
MAX_MAGNITUDE = 15
MAX_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a provider said and that cannot be used, in words."""

    text: str


def book_top(base: str, quote: str, bid: Decimal, ask: Decimal, as_of: int, source: str) -> ExchangeRate | Problem:
    """The quote at the top of an order book, or what is wrong with it."""
    bid_text, ask_text = _plain(bid), _plain(ask)
    if bid_text and ask_text and bid < ask:
        return ExchangeRate(base, quote, bid_text, ask_text, as_of, source)
    return Problem(f"the book of {base}-{quote} has bid {bid:.20} and ask {ask:.20}, expected 0 < bid < ask")


def _plain(price: Decimal) -> str:
    """Write a price so that equal prices are equal texts: no exponent, no trailing zeros. Nonsense is empty."""
    if not price.is_finite() or price <= 0 or abs(price.adjusted()) > MAX_MAGNITUDE:
        return ""
    text = format(price, "f")
    shortest = text.rstrip("0").rstrip(".") if "." in text else text
    return shortest if len(shortest) <= MAX_LENGTH else ""
