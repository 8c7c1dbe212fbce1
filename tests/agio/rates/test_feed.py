"""Live feeds against a local server that speaks the providers' formats, and misbehaves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from itertools import chain, count, repeat

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection, serve

from agio.contracts.events import ExchangeRate
from agio.rates.coinbase import COINBASE
from agio.rates.feed import Patience, Provider, feed
from agio.rates.kraken import KRAKEN
from tailrace.testing.port import free_port

# Far more than anything here takes.
TIMEOUT_S = 60
IMPATIENT = Patience(answer_s=5, silence_s=0.2, backoff_s=0.01, max_backoff_s=0.05)
PATIENT = replace(IMPATIENT, silence_s=TIMEOUT_S)

Handler = Callable[[ServerConnection], Awaitable[None]]


def clock() -> int:
    return 1_700_000_000_000


def kraken_ticker(bid: int, symbol: str = "BTC/USD") -> str:
    entry = {"symbol": symbol, "bid": bid, "ask": bid + 1}
    return json.dumps({"channel": "ticker", "type": "update", "data": [entry]})


def coinbase_ticker(bid: int) -> str:
    fields = {"product_id": "BTC-EUR", "best_bid": str(bid), "best_ask": str(bid + 1), "time": "2023-01-01T00:00:00Z"}
    return json.dumps({"type": "ticker"} | fields)


def listen(
    handler: Handler, provider: Provider, quotes: int, patience: Patience = PATIENT, now_ms: Callable[[], int] = clock
) -> list[ExchangeRate]:
    """Take so many quotes from a provider behind which `handler` serves each connection."""

    async def take() -> list[ExchangeRate]:
        async with asyncio.timeout(TIMEOUT_S), serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            local = replace(provider, url=f"ws://127.0.0.1:{port}")
            async with aclosing(feed(local, now_ms, patience)) as flow:
                return [await anext(flow) for _ in range(quotes)]

    return asyncio.run(take())


@pytest.mark.parametrize(
    ("provider", "ticker", "pair"),
    [(KRAKEN, kraken_ticker, ("BTC", "USD")), (COINBASE, coinbase_ticker, ("BTC", "EUR"))],
    ids=["kraken", "coinbase"],
)
def test_quotes_arrive_after_the_subscription(
    provider: Provider, ticker: Callable[[int], str], pair: tuple[str, str]
) -> None:
    subscriptions = []

    async def handler(connection: ServerConnection) -> None:
        subscriptions.append(await connection.recv())
        for bid in (7, 8):
            await connection.send(ticker(bid))
        await connection.wait_closed()

    taken = listen(handler, provider, 2)
    assert [(quote.base, quote.quote, quote.bid, quote.ask) for quote in taken] == [
        (*pair, "7", "8"),
        (*pair, "8", "9"),
    ]
    assert subscriptions == provider.conversation().subscriptions()


async def close(connection: ServerConnection) -> None:
    await connection.close()


async def vanish(connection: ServerConnection) -> None:
    connection.transport.abort()


async def keep_silent(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.mark.parametrize("end", [close, vanish, keep_silent])
def test_a_lost_connection_is_made_again(end: Handler) -> None:
    attempts = count()

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(kraken_ticker(1 + next(attempts)))
        await end(connection)

    with capture_logs() as logs:
        taken = listen(handler, KRAKEN, 3, IMPATIENT)
    assert [quote.bid for quote in taken] == ["1", "2", "3"]
    assert [line["log_level"] for line in logs] == ["info", "warning"] * 2 + ["info"]


def test_heartbeats_keep_a_quiet_connection() -> None:
    connections = count()

    async def handler(connection: ServerConnection) -> None:
        next(connections)
        await connection.recv()
        for _ in range(12):
            await asyncio.sleep(0.1)
            await connection.send('{"channel":"heartbeat"}')
        await connection.send(kraken_ticker(1))
        await connection.wait_closed()

    assert len(listen(handler, KRAKEN, 1, replace(PATIENT, silence_s=0.8))) == 1
    assert next(connections) == 1


def test_garbage_is_told_once_and_passed_over() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        for message in ("garbage", b"\xff\x00", "[]", "{}", '{"channel":"news"}', kraken_ticker(-5), kraken_ticker(1)):
            await connection.send(message)
        await connection.wait_closed()

    with capture_logs() as logs:
        (quote,) = listen(handler, KRAKEN, 1)
    assert quote.bid == "1"
    (warning,) = [line for line in logs if line["log_level"] == "warning"]
    assert "garbage" in warning["problem"]
    assert warning["provider"] == "kraken"


def test_what_waited_while_the_machine_slept_is_not_taken_for_new() -> None:
    """The clock jumps by an hour between two messages of the first connection: the second is not believed."""
    connections = count(1)
    now_ms = chain([0, 0], repeat(3_600_000))

    async def handler(connection: ServerConnection) -> None:
        number = next(connections)
        await connection.recv()
        for bid in (10 * number, 10 * number + 1):
            await connection.send(kraken_ticker(bid))
        await connection.wait_closed()

    taken = listen(handler, KRAKEN, 3, PATIENT, lambda: next(now_ms))
    assert [(quote.bid, quote.as_of) for quote in taken] == [("10", 0), ("20", 3_600_000), ("21", 3_600_000)]


def test_no_pong_ends_the_connection() -> None:
    """A machine that hangs keeps the connection open, reads nothing and answers no ping."""
    attempts = count(1)
    second = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        attempt = next(attempts)
        await connection.send(kraken_ticker(attempt))
        if attempt == 1:
            connection.transport.pause_reading()
            await second.wait()
            connection.transport.abort()
        second.set()

    assert [quote.bid for quote in listen(handler, KRAKEN, 2, replace(PATIENT, answer_s=0.1))] == ["1", "2"]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a line in the log sets no event
        await asyncio.sleep(0.01)


def test_an_unreachable_provider_is_tried_again_until_it_answers() -> None:
    provider = replace(KRAKEN, url=f"ws://127.0.0.1:{free_port()}")

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(kraken_ticker(1))
        await connection.wait_closed()

    async def take() -> ExchangeRate:
        async with asyncio.timeout(TIMEOUT_S), aclosing(feed(provider, clock, PATIENT)) as flow:
            waiting = asyncio.ensure_future(anext(flow))
            await until(lambda: sum("ConnectionRefusedError" in line.get("error", "") for line in logs) >= 2)
            async with serve(handler, "127.0.0.1", int(provider.url.rpartition(":")[2])):
                return await waiting

    with capture_logs() as logs:
        assert asyncio.run(take()).bid == "1"


def test_a_provider_that_never_greets_is_given_up_and_tried_again() -> None:
    """The connection is made, but the WebSocket's handshake is not answered."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def wait() -> None:
        async with asyncio.timeout(TIMEOUT_S), await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            flow = feed(replace(KRAKEN, url=f"ws://127.0.0.1:{port}"), clock, replace(PATIENT, answer_s=0.05))
            waiting = asyncio.ensure_future(anext(flow))
            await until(lambda: sum("TimeoutError" in line.get("error", "") for line in logs) >= 2)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    with capture_logs() as logs:
        asyncio.run(wait())
