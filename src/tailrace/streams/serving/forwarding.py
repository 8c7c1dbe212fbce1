"""Forwarding: what another instance has is asked of it, once, and who it is the others' claims say."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tailrace.streams.instances.claims import Member, TaskId
from tailrace.streams.instances.meeting import Meeting

# Set to the name of the instance that forwards a request, which is not forwarded again then.
FORWARDED_BY = "Tailrace-Forwarded-By"
# Who has answered.
ANSWERED_BY = "Tailrace-Instance"

# How long a request waits for a task that moves.
PATIENCE_S = 1.0
PAUSE_S = 0.05
TIMEOUT = httpx.Timeout(5.0, connect=0.5)

UNAVAILABLE = 503


class Unavailable(Exception):
    """What is asked for nobody has at the moment, and why; it is worth asking again."""


@dataclass(frozen=True)
class Answer:
    """A response: its status and body, and the instance that it is of."""

    status: int
    body: bytes
    instance: str


class Forwarding:
    """Asks other instances over connections that are kept; from within one event loop."""

    def __init__(self, meeting: Meeting) -> None:
        self.name = meeting.name
        self._meeting = meeting
        # Without the proxies that the environment names: instances reach each other directly.
        self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)

    async def answer(
        self, task: TaskId | None, here: Callable[[], bytes | None], path: bytes, *, is_forwarded: bool = False
    ) -> Answer:
        """Answer a request about a task, for which its owner is asked at `path`, unless `here` gives an answer.

        What is of no task every instance has. Raises Unavailable when there is none for a while; at once when nobody
        else would have it, or the request was forwarded already.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            body = here()
            if body is not None:
                return Answer(200, body, self.name)
            if task is None:
                raise Unavailable("it is not here yet, or not any more")
            if is_forwarded:
                raise Unavailable(f"{_name(task)} is not here")
            try:
                return await self._ask(self._owner(task), path)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _owner(self, task: TaskId) -> Member:
        owner = self._meeting.owner(task)
        if owner is None:
            raise Unavailable(f"no instance has {_name(task)}; it may be moving, or all are still starting")
        if owner.name == self.name:
            raise Unavailable(f"{_name(task)} is on its way from or to this instance")
        if not self._meeting.is_alive(owner):
            raise Unavailable(f"instance {owner.name}, which has {_name(task)}, has not been heard of for a while")
        return owner

    async def _ask(self, owner: Member, path: bytes) -> Answer:
        if owner.claim.address is None:
            raise Unavailable(f"instance {owner.name} answers no queries; it needs StreamsConfig(listen=...)")
        url = httpx.URL(f"http://{owner.claim.address}").copy_with(raw_path=path)
        try:
            response = await self._client.get(url, headers={FORWARDED_BY: self.name})
        except httpx.HTTPError as error:
            raise Unavailable(f"instance {owner.name} at {owner.claim.address} does not answer: {error!r}") from error
        if response.status_code == UNAVAILABLE:
            raise Unavailable(f"instance {owner.name} has let go of it, or has it not yet")
        return Answer(response.status_code, response.content, response.headers.get(ANSWERED_BY, owner.name))


def _name(task: TaskId) -> str:
    return f"{task[0]}-{task[1]}"
