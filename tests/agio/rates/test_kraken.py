"""What Kraken says, understood without a connection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agio.contracts.events import ExchangeRate
from agio.rates.book import Problem
from agio.rates.kraken import CONFIRM_MS, KrakenConversation

NOW_MS = 1_700_000_000_000
HEARTBEAT = '{"channel":"heartbeat"}'


def ticker(symbol: str = "BTC/USD", bid: str = "66000.1", ask: str = "66000.2", type_: str = "update") -> str:
    """As text: JSON numbers must be written as Kraken writes them."""
    entry = f'{{"symbol":"{symbol}","bid":{bid},"bid_qty":0.4,"ask":{ask},"ask_qty":1.1,"last":66000.1,"volume":9}}'
    return f'{{"channel":"ticker","type":"{type_}","data":[{entry}]}}'


def quote(pair: str, bid: str, ask: str, as_of: int = NOW_MS) -> ExchangeRate:
    base, other = pair.split("-")
    return ExchangeRate(base, other, bid, ask, as_of, "kraken")


def test_subscribes_to_changes_of_the_top_of_the_book() -> None:
    (message,) = map(json.loads, KrakenConversation().subscriptions())
    assert message["method"] == "subscribe"
    assert message["params"]["channel"] == "ticker"
    assert message["params"]["event_trigger"] == "bbo"
    assert {"BTC/EUR", "USDC/USD", "EUR/USD"} <= set(message["params"]["symbol"])


@pytest.mark.parametrize("type_", ["snapshot", "update"])
def test_a_ticker_is_a_quote_of_now_and_exact(type_: str) -> None:
    """0.1 + 0.2 is where floats would show."""
    said = KrakenConversation().receive(ticker("EUR/USD", "0.30000000000000004", "0.3000000000000001", type_), NOW_MS)
    assert said == [quote("EUR-USD", "0.30000000000000004", "0.3000000000000001")]


@pytest.mark.parametrize(
    "message",
    [
        HEARTBEAT,
        '{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2","connection_id":1}]}',
        '{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD"},"success":true,"error":null}',
        '{"channel":"of the future","data":{"a":1}}',
        ticker("DOGE/USD"),
        "{}",
    ],
    ids=["heartbeat", "status", "subscribed", "unknown channel", "unknown symbol", "empty"],
)
def test_what_is_of_no_interest_is_ignored(message: str) -> None:
    assert KrakenConversation().receive(message, NOW_MS) == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (ticker(bid="66000.3"), "BTC-USD has bid 66000.3"),
        (ticker(bid="-1"), "has bid -1"),
        (ticker(bid="null"), "bid"),
        (ticker(bid="true"), "bid"),
        ('{"channel":"ticker","data":{}}', "array"),
        ('{"method":"subscribe","success":false,"error":"Currency pair not supported X/Y"}', "X/Y"),
        ('{"channel":"status","data":[{"system":"maintenance"}]}', "maintenance"),
        ("[]", "no message of Kraken"),
    ],
)
def test_what_cannot_be_used_is_a_problem_that_says_why(message: str, said: str) -> None:
    (problem,) = KrakenConversation().receive(message, NOW_MS)
    assert isinstance(problem, Problem)
    assert said in problem.text


@given(st.text().filter(lambda text: not text.strip().isdigit()) | st.binary())
def test_garbage_is_a_problem(message: str | bytes) -> None:
    (problem,) = KrakenConversation().receive(message, NOW_MS)
    assert isinstance(problem, Problem)


def test_a_quote_stands_while_kraken_is_heard() -> None:
    conversation = KrakenConversation()
    conversation.receive(ticker(), NOW_MS)
    conversation.receive(ticker("EUR/USD", "1.1", "1.2"), NOW_MS + 2000)
    assert conversation.receive(HEARTBEAT, NOW_MS + CONFIRM_MS - 1) == []
    confirmed = quote("BTC-USD", "66000.1", "66000.2", NOW_MS + CONFIRM_MS)
    assert conversation.receive(HEARTBEAT, NOW_MS + CONFIRM_MS) == [confirmed]
    assert conversation.receive(HEARTBEAT, NOW_MS + CONFIRM_MS + 1) == []
    later_ms = NOW_MS + CONFIRM_MS + 2000
    assert conversation.receive(HEARTBEAT, later_ms) == [quote("EUR-USD", "1.1", "1.2", later_ms)]


@pytest.mark.parametrize(
    "end",
    [
        ticker(bid="66001"),
        ticker(bid="null"),
        '{"channel":"status","data":[{"system":"cancel_only"}]}',
        "garbage",
    ],
    ids=["crossed", "unreadable ticker", "trading halted", "garbage"],
)
def test_a_quote_stands_no_longer_when_it_may_be_gone(end: str) -> None:
    conversation = KrakenConversation()
    conversation.receive(ticker(), NOW_MS)
    assert any(isinstance(said, Problem) for said in conversation.receive(end, NOW_MS + 1))
    assert conversation.receive(HEARTBEAT, NOW_MS + 2 * CONFIRM_MS) == []
