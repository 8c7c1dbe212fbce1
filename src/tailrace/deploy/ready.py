"""Probes that tell whether a process serves yet."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

Probe = Callable[[], Awaitable[bool]]
"""Asks once, quickly, and does not raise when the answer is no."""


async def never() -> bool:
    """A probe for a process that has work to end: it counts as ready once it has ended with status 0."""
    return False


def listening(port: int, host: str = "127.0.0.1") -> Probe:
    """Give a probe that holds once the port accepts connections."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=1)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe


def answering(url: str) -> Probe:
    """Give a probe that holds once a GET of the URL succeeds with a status below 400."""

    async def probe() -> bool:
        try:
            async with httpx.AsyncClient(timeout=1) as client:
                response = await client.get(url)
        except httpx.HTTPError:
            return False
        return not response.is_error

    return probe
