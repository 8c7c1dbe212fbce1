"""What a handler gets besides the request, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.wire.encoding import Parts

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker


class CloseConnection(Exception):
    """Raised by a handler that must not answer; the connection is closed and the reason logged."""


Response = Mapping[str, Any]
"""A response with the field names of `kio`; see `tailrace.wire.encoding`."""

Reply = Response | Parts | None
"""A response, or one that is encoded already, or none at all (Produce with acks=0)."""

HandlerResult = Reply | Awaitable[Reply]


@dataclass(frozen=True, slots=True)
class Call:
    """One request's circumstances; connections are numbered in the order in which they were opened."""

    broker: Broker
    api_version: int
    correlation_id: int
    client_id: str
    client_host: str
    connection: int
