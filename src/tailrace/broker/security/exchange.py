"""What the mechanisms have in common: tokens come in, tokens go out, and in the end somebody is known or nobody is."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Step(NamedTuple):
    """The answer to a token; `user` is set when the client has proved to be that user."""

    token: bytes
    user: str | None = None


class Rejected(Exception):
    """The client did not prove who it is; the message is for our log, not for the client."""


class Exchange(Protocol):
    """One attempt of one client."""

    def step(self, token: bytes) -> Step:
        """Take the client's token. Raises Rejected."""
        ...
