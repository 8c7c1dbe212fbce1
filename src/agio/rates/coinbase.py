"""Coinbase Exchange: channel `ticker`, the top of the book at each trade, and `heartbeat`, which keeps silence apart
from quiet.

A ticker says nothing about the time after it, so its quote keeps the time of the trade, and gets old in a quiet market.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from agio.contracts.events import ExchangeRate
from agio.rates.book import Problem, book_top
from agio.rates.feed import Provider

URL = "wss://ws-feed.exchange.coinbase.com"
# One unknown product would make Coinbase refuse all; it has no USDC-USD and no EUR-USD.
PRODUCTS = ("BTC-EUR", "BTC-USD", "ETH-EUR", "ETH-USD", "USDC-EUR")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Envelope(msgspec.Struct):
    """What is read of any message first."""

    type: str
    message: str = ""
    reason: str = ""


class Ticker(msgspec.Struct):
    """A message of the channel `ticker`, as far as it is used."""

    product_id: str
    best_bid: Decimal
    best_ask: Decimal
    time: datetime


class CoinbaseConversation:
    """What is said on a connection to Coinbase."""

    def subscriptions(self) -> list[str]:
        """Subscribe, which Coinbase wants within five seconds."""
        wish = {"type": "subscribe", "product_ids": PRODUCTS, "channels": ["ticker", "heartbeat"]}
        return [msgspec.json.encode(wish).decode()]

    def receive(self, message: str | bytes, now_ms: int) -> list[ExchangeRate | Problem]:
        """Give the quote of a ticker."""
        try:
            envelope = msgspec.json.decode(message, type=Envelope)
            if envelope.type == "error":
                return [Problem(f"Coinbase answers {envelope.message}: {envelope.reason}")]
            if envelope.type != "ticker":
                return []
            ticker = msgspec.json.decode(message, type=Ticker)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [Problem(f"{message[:200]!r} is no message of Coinbase: {error}")]
        if ticker.product_id not in PRODUCTS:
            return []
        base, quote = ticker.product_id.split("-")
        return [book_top(base, quote, ticker.best_bid, ticker.best_ask, _as_of(ticker.time, now_ms), "coinbase")]


def _as_of(time: datetime, now_ms: int) -> int:
    """The provider's time in ms; never later than now, or a clock ahead would make a quote last too long."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return min(now_ms, (aware - EPOCH) // timedelta(milliseconds=1))


COINBASE = Provider("coinbase", URL, CoinbaseConversation)
