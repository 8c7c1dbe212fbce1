"""The service: quotes of the chosen source, published until told to stop."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import structlog

from agio.contracts.events import ExchangeRate
from agio.contracts.topics import EXCHANGE_RATES
from agio.platform import is_platform_ready
from agio.rates.publisher import Publisher
from agio.settings import Settings
from tailrace.client import producer
from tailrace.registry.client import RegistryClient

log = structlog.get_logger("agio.rates")

SOURCES = ("ecb", "coinbase", "kraken")
PLATFORM_TIMEOUT_S = 60.0


def run(settings: Settings, stop: threading.Event) -> None:
    """Publish quotes of the source `settings.rates` until `stop` is set.

    From the environment: AGIO_RATES_FIXING_S, how long `ecb` takes from one fixing to the next (30), and
    AGIO_RATES_URL, another address of a live provider.
    Raises ValueError when there is no such source or no such speed.
    """
    quotes = source(settings.rates)
    registry = RegistryClient(settings.schema_registry)
    if not is_platform_ready(settings, registry, [EXCHANGE_RATES.topic], stop):
        return
    publisher = Publisher(producer(settings.bootstrap_servers), EXCHANGE_RATES.serde(registry))
    log.info("publishing rates", source=settings.rates)
    asyncio.run(_serve(quotes, publisher, stop))


def source(name: str) -> AsyncIterator[ExchangeRate]:
    """The quotes of a source. Raises ValueError as `run` does."""
    if name == "ecb":
        from agio.rates.ecb import replay, rounds

        return replay(_now_ms, steps=rounds(os.environ.get("AGIO_RATES_FIXING_S", "30")))
    if name not in SOURCES:
        raise ValueError(f"there is no source of rates {name!r}; choose one of {', '.join(SOURCES)}")
    from agio.rates.coinbase import COINBASE
    from agio.rates.feed import feed
    from agio.rates.kraken import KRAKEN

    provider = COINBASE if name == "coinbase" else KRAKEN
    return feed(replace(provider, url=os.environ.get("AGIO_RATES_URL", provider.url)), _now_ms)


async def _serve(quotes: AsyncIterator[ExchangeRate], publisher: Publisher, stop: threading.Event) -> None:
    publishing = asyncio.create_task(_publish(quotes, publisher))
    try:
        while not (stop.is_set() or publishing.done()):
            await asyncio.wait({publishing}, timeout=0.1)
            publisher.poll()
        if publishing.done():
            publishing.result()
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        publisher.close()


async def _publish(quotes: AsyncIterator[ExchangeRate], publisher: Publisher) -> None:
    async for quote in quotes:
        publisher.publish(quote)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
