"""What a wallet is worth in one currency, at the latest quotes. For display: nothing here is ever booked."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from agio.contracts.events import ExchangeRate
from agio.money import currencies, price

# Preferred intermediate currencies, the most liquid first; without them the first in alphabetical order.
INTERMEDIATES = ("EUR", "USD")


@dataclass(frozen=True, slots=True)
class Valuation:
    """A total in minor units; `as_of` is the oldest quote's time in it, None when it needed no quote.

    `missing`: currencies that no quotes connect to the wanted one, in alphabetical order; they are not in `amount`.
    """

    amount: int
    as_of: int | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mid:
    """Middle of bid and ask, in units of one currency for a unit of another."""

    rate: Fraction
    as_of: int

    def through(self, onward: "Mid") -> "Mid":
        """This and then `onward`, as old as the older of the two."""
        return Mid(self.rate * onward.rate, min(self.as_of, onward.as_of))


class Quotes:
    """The latest quote of each pair. One thread updates; any may read."""

    def __init__(self) -> None:
        self._latest: dict[str, ExchangeRate] = {}
        self._mids: dict[tuple[str, str], Mid] = {}
        self._partners: dict[str, frozenset[str]] = {}

    @property
    def latest(self) -> Mapping[str, ExchangeRate]:
        """The latest quotes by pair, such as `EUR-USD`."""
        return MappingProxyType(self._latest)

    def update(self, quote: ExchangeRate) -> bool:
        """Take over a quote; False if it makes no sense, so that the pair's earlier quote, if any, stays."""
        try:
            bid, ask = price(quote.bid), price(quote.ask)
        except ValueError:
            return False
        if bid > ask or quote.base == quote.quote:
            return False
        mid = (bid + ask) / 2
        self._mids[quote.base, quote.quote] = Mid(mid, quote.as_of)
        self._mids[quote.quote, quote.base] = Mid(1 / mid, quote.as_of)
        self._latest[f"{quote.base}-{quote.quote}"] = quote
        self._connect(quote.base, quote.quote)
        self._connect(quote.quote, quote.base)
        return True

    def mid(self, sold: str, bought: str) -> Mid | None:
        """Mid of a unit of `sold` in `bought`: by their quote, either way round, or through one other currency."""
        if sold == bought:
            return Mid(Fraction(1), 0)
        if (direct := self._mids.get((sold, bought))) is not None:
            return direct
        common = self._partners.get(sold, frozenset()) & self._partners.get(bought, frozenset())
        between = next((currency for currency in INTERMEDIATES if currency in common), min(common, default=None))
        if between is None:
            return None
        return self._mids[sold, between].through(self._mids[between, bought])

    def _connect(self, currency: str, partner: str) -> None:
        known = self._partners.get(currency, frozenset())
        if partner not in known:
            self._partners[currency] = known | {partner}


def total(balances: Mapping[str, int], home: str, quotes: Quotes) -> Valuation:
    """Value balances (minor units by currency) in the home currency: exact, rounded once, half to even."""
    known = currencies()
    # One fraction for the sum, reduced at the end: reducing after each term would cost ten times the rest.
    numerator, denominator = 0, 1
    times, missing = [], []
    for code in sorted(code for code, amount in balances.items() if amount):
        mid = quotes.mid(code, home) if code in known and home in known else None
        if mid is None:
            missing.append(code)
            continue
        above = balances[code] * mid.rate.numerator * known[home].minor_units
        below = mid.rate.denominator * known[code].minor_units
        numerator, denominator = numerator * below + above * denominator, denominator * below
        if code != home:
            times.append(mid.as_of)
    return Valuation(round(Fraction(numerator, denominator)), min(times, default=None), tuple(missing))
