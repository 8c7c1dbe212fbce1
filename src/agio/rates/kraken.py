"""Kraken, WebSocket API version 2: channel `ticker`, sent whenever the top of the book changes.

A quote stands until Kraken sends another, so any later message of a live connection (in a quiet market the heartbeat
of every second) confirms it: it is given again with a newer time before it gets old.
"""

from decimal import Decimal

import msgspec

from agio.contracts.events import ExchangeRate
from agio.rates.book import Problem, book_top
from agio.rates.feed import Provider

URL = "wss://ws.kraken.com/v2"
SYMBOLS = ("BTC/EUR", "BTC/USD", "ETH/EUR", "ETH/USD", "USDC/EUR", "USDC/USD", "EUR/USD")

# How old a standing quote may get before it is given again.
CONFIRM_MS = 5000


class Envelope(msgspec.Struct):
    """What is read of any message first: an update has a channel, an answer a method."""

    channel: str = ""
    method: str = ""
    error: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"[]")


class Ticker(msgspec.Struct):
    """An entry of the channel `ticker`, as far as it is used."""

    symbol: str
    bid: Decimal
    ask: Decimal


class Status(msgspec.Struct):
    """An entry of the channel `status`, as far as it is used."""

    system: str


class KrakenConversation:
    """What is said on a connection to Kraken, with the quotes that stand."""

    def __init__(self) -> None:
        self._standing: dict[str, ExchangeRate] = {}

    def subscriptions(self) -> list[str]:
        """Subscribe to changes of the best bid and offer."""
        wish = {"channel": "ticker", "symbol": SYMBOLS, "event_trigger": "bbo"}
        return [msgspec.json.encode({"method": "subscribe", "params": wish}).decode()]

    def receive(self, message: str | bytes, now_ms: int) -> list[ExchangeRate | Problem]:
        """Give the quotes of a ticker, and those that any message confirms."""
        try:
            said = self._understand(msgspec.json.decode(message, type=Envelope), now_ms)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # It may have been the end of any quote.
            self._standing.clear()
            return [Problem(f"{message[:200]!r} is no message of Kraken: {error}")]
        return said + self._confirmed(now_ms)

    def _understand(self, envelope: Envelope, now_ms: int) -> list[ExchangeRate | Problem]:
        if envelope.channel == "ticker":
            return [
                self._ticked(ticker, now_ms)
                for ticker in msgspec.json.decode(envelope.data, type=list[Ticker])
                if ticker.symbol in SYMBOLS
            ]
        if envelope.channel == "status":
            systems = [status.system for status in msgspec.json.decode(envelope.data, type=list[Status])]
            if any(system != "online" for system in systems):
                self._standing.clear()
                return [Problem(f"Kraken is {', '.join(systems)}, expected online")]
        if envelope.error:
            return [Problem(f"Kraken answers {envelope.method or 'something'} with {envelope.error}")]
        return []

    def _ticked(self, ticker: Ticker, now_ms: int) -> ExchangeRate | Problem:
        base, quote = ticker.symbol.split("/")
        top = book_top(base, quote, ticker.bid, ticker.ask, now_ms, "kraken")
        if isinstance(top, Problem):
            self._standing.pop(ticker.symbol, None)
        else:
            self._standing[ticker.symbol] = top
        return top

    def _confirmed(self, now_ms: int) -> list[ExchangeRate | Problem]:
        due = [symbol for symbol, quote in self._standing.items() if now_ms - quote.as_of >= CONFIRM_MS]
        for symbol in due:
            self._standing[symbol] = msgspec.structs.replace(self._standing[symbol], as_of=now_ms)
        return [self._standing[symbol] for symbol in due]


KRAKEN = Provider("kraken", URL, KrakenConversation)
