"""A client of a broker in the same event loop: real requests and replies, no sockets."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import Any, cast

from kio.serial import entity_reader

from tailrace.broker.broker import Broker
from tailrace.broker.connection import Connection
from tailrace.broker.dispatch import APIS
from tailrace.broker.limits.in_flight import InFlight
from tailrace.wire.encoding import Parts, struct_encoder
from tailrace.wire.framing import FrameBuffer
from tailrace.wire.messages import message_class
from tests.tailrace.broker.wire import receive

KEYS = {api.name: api.key for api in APIS.values()}


class Refused(Exception):
    """The broker answered with an error."""


@cache
def _codec(api: str, version: int) -> tuple[Any, bool, Any, bool]:
    request, response = (message_class(api, version, direction) for direction in ("request", "response"))
    return (
        struct_encoder(request),
        request.__header_schema__.__version__ >= 2,
        entity_reader(response),
        response.__header_schema__.__version__ >= 1,
    )


def encode_request(api: str, version: int, correlation_id: int, body: Mapping[str, Any]) -> bytes:
    """A whole frame."""
    encode, has_tags, _, _ = _codec(api, version)
    parts: Parts = [struct.pack(">hhih", KEYS[api], version, correlation_id, -1), b"\0" if has_tags else b""]
    encode(body, parts)
    content = b"".join(parts)
    return struct.pack(">i", len(content)) + content


class Client(asyncio.Transport):
    """One connection."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self._correlation_ids = count()
        self._waiting: deque[tuple[str, int, asyncio.Future[Any]]] = deque()
        self._frames = FrameBuffer(1 << 30)
        in_flight = InFlight(broker.config.queued_max_request_bytes, asyncio.get_running_loop().call_soon)
        self._connection = Connection(broker, in_flight, lambda _: None)
        self._connection.connection_made(self)

    def ask(self, api: str, version: int, **body: Any) -> asyncio.Future[Any]:
        """Send a request; the future gets the response."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((api, version, answer))
        receive(self._connection, encode_request(api, version, next(self._correlation_ids), body))
        return answer

    def write(self, data: Any) -> None:
        """Take replies from the broker."""
        for frame in self._frames.feed(data):
            api, version, answer = self._waiting.popleft()
            _, _, decode, has_tags = _codec(api, version)
            response, _ = decode(bytes(frame), 5 if has_tags else 4)
            if not answer.done():
                answer.set_result(response)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The client has no address."""
        return default

    def is_closing(self) -> bool:
        """Whether the broker has closed the connection."""
        return False

    def abort(self) -> None:
        """The broker closes the connection."""
        for _, _, answer in self._waiting:
            if not answer.done():
                answer.set_exception(ConnectionError("the broker closed the connection"))

    close = abort
    pause_reading = resume_reading = cast(Any, lambda self: None)


def check(error_code: int) -> None:
    """Raises Refused unless the code says that all is well."""
    if error_code != 0:
        raise Refused(f"error {error_code!r}")
