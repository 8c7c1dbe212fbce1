"""The service on a real broker and registry: what it publishes, what it survives, how it stops."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import TopicPartition
from websockets.asyncio.server import ServerConnection, serve

from agio.contracts.events import ExchangeRate
from agio.contracts.topics import EXCHANGE_RATES
from agio.money import FIAT, price
from agio.rates.ecb import ROUND_MS
from agio.rates.publisher import REFRESH_MS
from agio.rates.service import run
from agio.settings import Settings
from tailrace.client import consumer, ensure_topics
from tailrace.registry.client import RegistryClient
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tailrace.testing.registry import RegistryProcess

# Far more than anything here takes.
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def broker_process() -> Iterator[BrokerProcess]:
    """A broker of its own: the topic's name is fixed, and one test kills it."""
    with BrokerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def settings(broker_process: BrokerProcess) -> Iterator[Settings]:
    ensure_topics(broker_process.bootstrap_servers, [EXCHANGE_RATES.as_topic()])
    with RegistryProcess(broker_process.bootstrap_servers) as registry:
        RegistryClient(registry.url).wait_ready(TIMEOUT_S)
        yield Settings(bootstrap_servers=broker_process.bootstrap_servers, schema_registry=registry.url)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def running(settings: Settings) -> Iterator[threading.Event]:
    """The service in a thread; on exit it must end at once, and without an error."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        outcome = executor.submit(run, settings, stop)
        try:
            yield stop
        finally:
            stop.set()
            outcome.result(timeout=2)


@contextmanager
def published(settings: Settings) -> Iterator[Callable[[], tuple[str, ExchangeRate]]]:
    """What arrives in the topic from now on, one key and quote at each call."""
    serde = EXCHANGE_RATES.serde(RegistryClient(settings.schema_registry))
    reader = consumer(settings.bootstrap_servers, "none")
    _, end = reader.get_watermark_offsets(TopicPartition(EXCHANGE_RATES.topic, 0), timeout=TIMEOUT_S)
    reader.assign([TopicPartition(EXCHANGE_RATES.topic, 0, end)])

    def take() -> tuple[str, ExchangeRate]:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = reader.poll(0.1)
            if message is not None and message.error() is None:
                return (message.key() or b"").decode(), serde.decode(message.value() or b"")
        raise TimeoutError("no quote was published")

    try:
        yield take
    finally:
        reader.close()


def test_publishes_all_fiat_pairs_at_once_and_keeps_them_fresh(settings: Settings) -> None:
    started_ms = now_ms()
    with published(settings) as take, running(settings):
        first = dict(take() for _ in range(29))
        assert set(first) == {f"EUR-{code}" for code in FIAT if code != "EUR"}
        for pair, quote in first.items():
            assert pair == f"{quote.base}-{quote.quote}"
            assert 0 < price(quote.bid) < price(quote.ask)
            assert quote.source == "ecb"
            assert started_ms - ROUND_MS <= quote.as_of <= now_ms()
        again: dict[str, ExchangeRate] = {}
        while set(again) != set(first):
            pair, quote = take()
            again.setdefault(pair, quote)
        for pair, quote in again.items():
            assert 0 < quote.as_of - first[pair].as_of <= REFRESH_MS


def test_goes_on_after_the_broker_was_killed(settings: Settings, broker_process: BrokerProcess) -> None:
    with running(settings):
        with published(settings) as take:
            take()
        broker_process.kill()
        broker_process.start()
        restarted_ms = now_ms()
        with published(settings) as take:
            while take()[1].as_of < restarted_ms:
                pass


def test_publishes_what_a_live_provider_says(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    quoted = threading.Event()

    async def provide(connection: ServerConnection) -> None:
        await connection.recv()
        for bid in ("7.5", "7.50", "7.25"):
            entry = f'{{"symbol":"BTC/EUR","bid":{bid},"ask":8}}'
            await connection.send(f'{{"channel":"ticker","type":"update","data":[{entry}]}}')
        await connection.wait_closed()

    async def serve_until_quoted(port: int) -> None:
        async with serve(provide, "127.0.0.1", port):
            await asyncio.to_thread(quoted.wait, TIMEOUT_S)

    port = free_port()
    monkeypatch.setenv("AGIO_RATES_URL", f"ws://127.0.0.1:{port}")
    with ThreadPoolExecutor(1) as executor, published(settings) as take:
        executor.submit(asyncio.run, serve_until_quoted(port))
        with running(replace(settings, rates="kraken")):
            flow = [take(), take()]
        quoted.set()
    assert [(pair, quote.bid, quote.ask, quote.source) for pair, quote in flow] == [
        ("BTC-EUR", "7.5", "8", "kraken"),
        ("BTC-EUR", "7.25", "8", "kraken"),
    ]


def test_stops_while_a_live_provider_is_unreachable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGIO_RATES_URL", f"ws://127.0.0.1:{free_port()}")
    with running(replace(settings, rates="coinbase")) as stop:
        assert not stop.wait(0.3)


def test_stops_while_it_waits_for_the_platform() -> None:
    nobody = Settings(bootstrap_servers=f"127.0.0.1:{free_port()}", schema_registry=f"http://127.0.0.1:{free_port()}")
    with running(nobody) as stop:
        assert not stop.wait(0.3)


def test_an_unknown_source_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no source of rates 'tulips'; choose one of ecb, coinbase, kraken"):
        run(Settings(rates="tulips"), threading.Event())


def test_a_wrong_speed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGIO_RATES_FIXING_S", "fast")
    with pytest.raises(ValueError, match="a fixing cannot last 'fast' seconds"):
        run(Settings(), threading.Event())
