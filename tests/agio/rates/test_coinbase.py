"""What Coinbase says, understood without a connection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import ExchangeRate
from agio.rates.book import Problem
from agio.rates.coinbase import CoinbaseConversation

NOW_MS = 1_700_000_000_000

TICKER = {
    "type": "ticker",
    "sequence": 37475248783,
    "product_id": "ETH-USD",
    "price": "1285.22",
    "best_bid": "1285.04",
    "best_bid_size": "0.46688654",
    "best_ask": "1285.27",
    "best_ask_size": "1.56637040",
    "side": "buy",
    "time": "2022-10-19T23:28:22.061769Z",
    "trade_id": 370843401,
}


def receive(message: object, now_ms: int = NOW_MS) -> list[ExchangeRate | Problem]:
    return CoinbaseConversation().receive(json.dumps(message), now_ms)


def test_subscribes_to_tickers_and_heartbeats() -> None:
    (message,) = map(json.loads, CoinbaseConversation().subscriptions())
    assert message["type"] == "subscribe"
    assert message["channels"] == ["ticker", "heartbeat"]
    assert {"BTC-EUR", "BTC-USD", "USDC-EUR"} <= set(message["product_ids"])


def test_a_ticker_is_a_quote_of_its_time() -> None:
    assert receive(TICKER) == [ExchangeRate("ETH", "USD", "1285.04", "1285.27", 1_666_222_102_061, "coinbase")]


def test_a_time_ahead_of_the_clock_is_not_believed() -> None:
    (quote,) = receive(TICKER, now_ms=1_600_000_000_000)
    assert isinstance(quote, ExchangeRate)
    assert quote.as_of == 1_600_000_000_000


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["ETH-USD"]}]},
        {
            "type": "heartbeat",
            "sequence": 90,
            "last_trade_id": 20,
            "product_id": "BTC-USD",
            "time": "2022-10-19T23:28:22Z",
        },
        {"type": "of the future"},
        TICKER | {"product_id": "DOGE-USD"},
    ],
    ids=["subscriptions", "heartbeat", "unknown type", "unknown product"],
)
def test_what_is_of_no_interest_is_ignored(message: object) -> None:
    assert receive(message) == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (TICKER | {"best_bid": "1285.28"}, "ETH-USD has bid 1285.28"),
        (TICKER | {"best_bid": "0"}, "has bid 0"),
        (TICKER | {"best_ask": "NaN"}, "NaN"),
        (TICKER | {"best_ask": "x"}, "best_ask"),
        (TICKER | {"time": "yesterday"}, "time"),
        ({"type": "ticker", "product_id": "ETH-USD"}, "missing required field"),
        ({"type": "error", "message": "Failed to subscribe", "reason": "XX-YY is not valid"}, "XX-YY is not valid"),
        ([], "no message of Coinbase"),
        ({"product_id": "ETH-USD"}, "type"),
    ],
)
def test_what_cannot_be_used_is_a_problem_that_says_why(message: object, said: str) -> None:
    (problem,) = receive(message)
    assert isinstance(problem, Problem)
    assert said in problem.text


@given(st.text() | st.binary())
def test_garbage_is_a_problem(message: str | bytes) -> None:
    (problem,) = CoinbaseConversation().receive(message, NOW_MS)
    assert isinstance(problem, Problem)
