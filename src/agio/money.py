"""Currencies, amounts and prices. An amount is an integer of minor units everywhere; there is no float.

Sources: ISO 4217 for fiat currencies and their exponents; the crypto exponents are ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

# The currencies for which the ECB publishes reference rates, and the euro.
FIAT = (
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MXN MYR NOK NZD PHP PLN RON SEK SGD THB TRY "
    "USD ZAR"
).split()
CRYPTO = MappingProxyType({"BTC": ("Bitcoin", 8), "ETH": ("Ether", 8), "USDC": ("USD Coin", 6)})

# Largest amount of one request, and largest balance, in minor units: far from the limit of a 64-bit integer.
MAX_AMOUNT = 10**13
MAX_BALANCE = 10**17

_NUMBER = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,30}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and the number of its decimals."""

    code: str
    name: str
    exponent: int

    @property
    def minor_units(self) -> int:
        """How many minor units make one."""
        units: int = 10**self.exponent
        return units


class AmountProblem(Enum):
    """Why a text is not an amount."""

    INVALID = auto()
    PRECISION = auto()
    LIMIT = auto()


@lru_cache(maxsize=1)
def currencies() -> Mapping[str, Currency]:
    """All supported currencies by code."""
    from iso4217 import Currency as Iso4217

    known = {code: Currency(code, Iso4217(code).currency_name, Iso4217(code).exponent or 0) for code in FIAT}
    known |= {code: Currency(code, name, exponent) for code, (name, exponent) in CRYPTO.items()}
    return MappingProxyType(known)


def parse_amount(text: str, currency: Currency) -> int | AmountProblem:
    """Read a decimal number such as `12.50` as minor units, 1 to MAX_AMOUNT.

    More decimals than the currency has are a problem even when they are zeros: nothing is rounded on the way in. Zero
    is invalid however it is written.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return AmountProblem.INVALID
    whole, decimals = match[1], match[2] or ""
    if not int(whole + decimals):
        return AmountProblem.INVALID
    if len(decimals) > currency.exponent:
        return AmountProblem.PRECISION
    amount = int(whole + decimals.ljust(currency.exponent, "0"))
    return amount if amount <= MAX_AMOUNT else AmountProblem.LIMIT


def format_amount(amount: int, currency: Currency) -> str:
    """Write minor units as a decimal number with all decimals of the currency, such as `-0.05`."""
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(currency.exponent + 1, "0")
    if currency.exponent == 0:
        return sign + digits
    return f"{sign}{digits[: -currency.exponent]}.{digits[-currency.exponent :]}"


@lru_cache(maxsize=4096)
def price(text: str) -> Fraction:
    """Read a positive decimal price exactly. Raises ValueError for anything else."""
    if _NUMBER.fullmatch(text) is None or (value := Fraction(text)) <= 0:
        raise ValueError(f"{text!r} is not a positive decimal number")
    return value


def convert_down(amount: int, sold: Currency, bought: Currency, bought_per_sold: Fraction) -> int:
    """Convert minor units at a price, once rounded towards zero: what the customer gets, in favour of the house."""
    numerator = amount * bought_per_sold.numerator * bought.minor_units
    return numerator // (bought_per_sold.denominator * sold.minor_units)


def convert_half_even(amount: int, sold: Currency, bought: Currency, bought_per_sold: Fraction) -> int:
    """Convert minor units at a price, rounded half to even: for display only, never booked."""
    return round(amount * bought_per_sold * Fraction(bought.minor_units, sold.minor_units))
