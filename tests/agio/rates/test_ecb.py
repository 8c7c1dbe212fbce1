"""The replayed market: it meets the ECB's fixings exactly, moves in between, and depends on the time alone."""

import asyncio
from contextlib import aclosing
from decimal import Decimal
from fractions import Fraction
from itertools import dropwhile, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import ExchangeRate
from agio.money import FIAT, price
from agio.rates.ecb import ROUND_MS, Pair, fixings, quotes, replay, rounds

STEPS = 12
DAY_MS = STEPS * ROUND_MS

PRICES = st.decimals("0.0001", "1000000", places=4).map(lambda number: format(number, "f"))
TABLES = st.integers(1, 4).flatmap(
    lambda days: st.dictionaries(
        st.sampled_from("USD JPY TRY".split()), st.lists(PRICES, min_size=days, max_size=days), min_size=1
    )
)
TIMES = st.integers(0, 2 * 10**12)


def mid(quote: ExchangeRate) -> Fraction:
    return (price(quote.bid) + price(quote.ask)) / 2


def test_reads_the_newest_fixings_of_all_currencies_oldest_first() -> None:
    table = fixings(250)
    assert {"EUR", *table} == set(FIAT)
    assert {len(prices) for prices in table.values()} == {250}
    assert all(Decimal(text) > 0 for prices in table.values() for text in prices)
    assert [prices[-1] for prices in fixings(1).values()] == [prices[-1] for prices in table.values()]


@given(TABLES, st.integers(1, 40), st.text(max_size=3), st.integers(0, 10**8))
def test_every_fixing_is_met_exactly(table: dict[str, list[str]], steps: int, seed: str, day: int) -> None:
    opening = list(islice(quotes(table, seed=seed, steps=steps, from_ms=day * steps * ROUND_MS), len(table)))
    assert {quote.quote: mid(quote) for quote in opening} == {
        currency: Fraction(prices[day % len(prices)]) for currency, prices in table.items()
    }


@given(TABLES, TIMES)
def test_the_bid_is_positive_and_below_the_ask(table: dict[str, list[str]], from_ms: int) -> None:
    for quote in islice(quotes(table, seed="a", steps=STEPS, from_ms=from_ms), 2 * STEPS * len(table)):
        assert 0 < price(quote.bid) < price(quote.ask)


@given(PRICES, PRICES, st.sampled_from((1, 12, 34_560)), st.text(max_size=3))
def test_the_walk_stays_positive_and_near_the_line_however_long_a_day_is(
    opening: str, closing: str, steps: int, seed: str
) -> None:
    pair = Pair.of("TRY", [opening, closing])
    mids = pair.mids(0, steps, seed)
    assert len(mids) == steps
    assert mids[0] == pair.fixings[0]
    low, high = sorted(pair.fixings)
    assert low // 2 < min(mids)
    assert max(mids) < high + low // 2


@given(TABLES, TIMES, st.integers(0, 3 * DAY_MS))
def test_a_restart_goes_on_with_the_same_quotes(table: dict[str, list[str]], from_ms: int, later_ms: int) -> None:
    running = quotes(table, seed="a", steps=STEPS, from_ms=from_ms)
    restarted = quotes(table, seed="a", steps=STEPS, from_ms=from_ms + later_ms)
    still_to_come = dropwhile(lambda quote: quote.as_of < from_ms + later_ms, running)
    assert list(islice(still_to_come, 20)) == list(islice(restarted, 20))


def test_another_seed_gives_another_market() -> None:
    table = fixings(10)
    one, other = (list(islice(quotes(table, seed=seed, steps=STEPS, from_ms=0), 29 * STEPS)) for seed in "ab")
    assert one[:29] == other[:29], "both open at the fixing"
    assert one[29:] != other[29:]


@given(TIMES)
def test_each_pair_is_quoted_once_a_round_in_order(from_ms: int) -> None:
    table = fixings(2)
    flow = list(islice(quotes(table, seed="a", steps=STEPS, from_ms=from_ms), 3 * len(table)))
    times = [quote.as_of for quote in flow]
    assert times == sorted(times)
    assert from_ms <= times[0] <= from_ms + ROUND_MS // len(table) + 1
    for first, second in zip(flow, flow[len(table) :], strict=False):
        assert (second.quote, second.as_of) == (first.quote, first.as_of + ROUND_MS)


def test_prices_have_six_significant_digits_or_what_the_ecb_publishes() -> None:
    table = {"USD": ["1.1172"], "GBP": ["0.8338"], "JPY": ["175.68"], "IDR": ["20275.17"], "KRW": ["1491.76"]}
    flow = islice(quotes(table, seed="a", steps=STEPS, from_ms=0), len(table))
    assert {quote.quote: len(quote.bid.partition(".")[2]) for quote in flow} == {
        "USD": 5,
        "GBP": 6,
        "JPY": 3,
        "IDR": 2,
        "KRW": 2,
    }


@pytest.mark.parametrize(("fixing_s", "steps"), [("3", 1), ("30", 12), ("86400", 34_560)])
def test_a_fixing_lasts_so_many_rounds(fixing_s: str, steps: int) -> None:
    assert rounds(fixing_s) == steps


@pytest.mark.parametrize("fixing_s", ["-1", "0", "2", "86401", "2.5", "fast", ""])
def test_a_fixing_cannot_last_less_than_a_round_or_more_than_a_day(fixing_s: str) -> None:
    with pytest.raises(ValueError, match="cannot last"):
        rounds(fixing_s)


class Clock:
    """A clock that the test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000], ids=["forward", "backward"])
def test_the_first_round_comes_at_once_and_a_set_clock_is_followed(jump_ms: int) -> None:
    async def listen() -> tuple[list[ExchangeRate], list[ExchangeRate]]:
        clock = Clock(1_700_000_000_000)
        async with aclosing(replay(clock, steps=STEPS)) as flow:
            first = [await anext(flow) for _ in range(29)]
            clock.now_ms += jump_ms
            return first, [await anext(flow) for _ in range(29)]

    before, after = asyncio.run(listen())
    for now_ms, flow in ((1_700_000_000_000, before), (1_700_000_000_000 + jump_ms, after)):
        assert {quote.quote for quote in flow} == set(FIAT) - {"EUR"}
        assert all(0 <= now_ms - quote.as_of <= ROUND_MS for quote in flow)
