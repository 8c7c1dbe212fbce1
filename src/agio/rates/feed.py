"""A live feed: a provider's WebSocket, connected again whenever it breaks, fell silent or made no sense.

What is said on a connection is the provider's `Conversation`: text in, quotes out, no sockets.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from agio.contracts.events import ExchangeRate
from agio.rates.book import Problem
from agio.rates.complaints import Complaints

log = structlog.get_logger("agio.rates")


class Conversation(Protocol):
    """What is said on one connection; every connection begins a new one."""

    def subscriptions(self) -> list[str]:
        """The messages to send first."""

    def receive(self, message: str | bytes, now_ms: int) -> list[ExchangeRate | Problem]:
        """What a message means at a time; nothing for one that is of no interest."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider listens, and how one talks to it."""

    name: str
    url: str
    conversation: Callable[[], Conversation]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for a connection or an answer to a ping, for any message, and before another attempt."""

    answer_s: float = 10.0
    silence_s: float = 15.0
    backoff_s: float = 0.5
    max_backoff_s: float = 30.0


async def feed(
    provider: Provider, clock: Callable[[], int], patience: Patience = Patience()
) -> AsyncGenerator[ExchangeRate, None]:
    """Yield a provider's quotes, for ever."""
    problems = Complaints("the rate provider said what cannot be used", provider=provider.name)
    backoff_s = patience.backoff_s
    while True:
        try:
            async with connect(
                provider.url,
                open_timeout=patience.answer_s,
                ping_interval=patience.answer_s,
                ping_timeout=patience.answer_s,
                close_timeout=0.5,
            ) as connection:
                log.info("connected to the rate provider", provider=provider.name, url=provider.url)
                async for said in _converse(connection, provider.conversation(), clock, patience.silence_s):
                    if isinstance(said, Problem):
                        problems.add(said.text)
                    else:
                        backoff_s = patience.backoff_s
                        yield said
        except (OSError, TimeoutError, WebSocketException) as error:
            log.warning("no rates from the provider", provider=provider.name, error=repr(error), retry_s=backoff_s)
        # A random part keeps many instances from returning in step.
        await asyncio.sleep(backoff_s * random.uniform(0.5, 1))
        backoff_s = min(2 * backoff_s, patience.max_backoff_s)


async def _converse(
    connection: ClientConnection, conversation: Conversation, clock: Callable[[], int], silence_s: float
) -> AsyncGenerator[ExchangeRate | Problem, None]:
    """Yield what the provider says until the connection closes. Raises TimeoutError after a silence."""
    for message in conversation.subscriptions():
        await connection.send(message)
    heard_ms = clock()
    while True:
        async with asyncio.timeout(silence_s):
            text = await connection.recv()
        now_ms = clock()
        # After a stop of this machine what waited in the socket is old, and nothing in it may say so.
        if now_ms - heard_ms > 1000 * silence_s:
            raise TimeoutError(f"nothing was read for {now_ms - heard_ms} ms")
        heard_ms = now_ms
        for said in conversation.receive(text, now_ms):
            yield said
