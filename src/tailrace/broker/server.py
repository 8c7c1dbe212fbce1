"""Connections: bytes to requests, requests to handlers, replies back in the order of the requests.

A reply is sent when everything that was recorded before it is durable. So no client ever sees a state that a crash
could take back, and handlers do not have to think about it. What does not speak of state that can be lost says so in
the dispatch table and is answered at once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable
from itertools import count
from time import perf_counter
from typing import cast

import structlog

from tailrace.broker.broker import Broker
from tailrace.broker.call import Call, CloseConnection, Reply
from tailrace.broker.dispatch import APIS, Api, unsupported_version_response
from tailrace.wire.encoding import Parts
from tailrace.wire.framing import FrameBuffer, FrameError
from tailrace.wire.header import RequestHeader, parse_request_header
from tailrace.wire.messages import decode_request, encode_response

log = structlog.get_logger()

OPEN_REQUESTS_MAX = 200
_connection_numbers = count(1)
_tasks: set[asyncio.Task[None]] = set()


class Slot:
    """The place of one reply in the order of a connection; `parts` is None until it can be sent."""

    __slots__ = ("api_key", "parts", "started_s")

    def __init__(self, api_key: int) -> None:
        self.api_key = api_key
        self.started_s = perf_counter()
        self.parts: Parts | None = None


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, broker: Broker, connections: set[Connection]) -> None:
        self._broker = broker
        self._connections = connections
        self._counters = broker.connection_counters
        self._number = next(_connection_numbers)
        self._frames = FrameBuffer(broker.config.socket_request_max_bytes)
        self._slots: deque[Slot] = deque()
        self._transport: asyncio.Transport | None = None
        self._host = ""
        self._can_write = True
        self._is_reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._host = f"/{peer[0]}" if peer else ""
        self._connections.add(self)
        self._counters.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; what its requests do goes on."""
        self._transport = None
        self._connections.discard(self)
        self._counters.closed += 1

    def close(self) -> None:
        """Close the connection when what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        """The client does not read fast enough: read no more of its requests."""
        self._can_write = False
        self._balance()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._can_write = True
        self._balance()

    def _balance(self) -> None:
        may_read = self._can_write and len(self._slots) < OPEN_REQUESTS_MAX
        if self._transport is None or may_read == self._is_reading:
            return
        self._is_reading = may_read
        if may_read:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Handle each request that is complete."""
        self._counters.received_bytes += len(data)
        try:
            for frame in self._frames.feed(data):
                if self._transport is None or self._transport.is_closing():
                    return
                self._receive(frame)
        except FrameError as error:
            self._refuse(str(error))
        self._balance()

    def _receive(self, frame: memoryview) -> None:
        try:
            header = parse_request_header(frame)
        except Exception as error:
            self._refuse(f"a request header of {len(frame)} bytes cannot be read: {error}")
            return
        api = APIS.get(header.api_key)
        slot = Slot(header.api_key)
        if api is None or header.api_version not in api.decodes:
            self._answer_unsupported(api, header, slot)
            return
        try:
            request = decode_request(api.name, header.api_version, frame, header.end)
        except Exception as error:
            self._refuse(f"a {api.name} request, version {header.api_version}, cannot be read: {error!r}")
            return
        self._slots.append(slot)
        call = Call(
            self._broker,
            header.api_version,
            header.correlation_id,
            header.client_id or "",
            self._host,
            self._number,
        )
        try:
            result = api.handle(request, call)
        except Exception as error:
            self._fail(api, error)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._finish(api, call, slot, result))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
        else:
            self._complete(api, call, slot, result)

    def _answer_unsupported(self, api: Api | None, header: RequestHeader, slot: Slot) -> None:
        if api is None or api.name != "api_versions":
            name = api.name if api else f"API {header.api_key}"
            self._refuse(f"{name}, version {header.api_version}, is not supported")
            return
        self._slots.append(slot)
        slot.parts = encode_response("api_versions", 0, header.correlation_id, unsupported_version_response())
        self._send()

    async def _finish(self, api: Api, call: Call, slot: Slot, result: Awaitable[Reply]) -> None:
        try:
            reply = await result
        except Exception as error:
            self._fail(api, error)
            return
        self._complete(api, call, slot, reply)
        self._balance()

    def _complete(self, api: Api, call: Call, slot: Slot, reply: Reply) -> None:
        """Encode a reply and send it when it may be sent."""
        if reply is None:
            parts: Parts = []
        elif isinstance(reply, list):
            parts = reply
        else:
            parts = encode_response(api.name, call.api_version, call.correlation_id, reply)
        commit = self._broker.commit
        if api.waits and commit.durable_frame < commit.recorded_frame:
            commit.when_durable(commit.recorded_frame, lambda: self._release(slot, parts))
        else:
            self._release(slot, parts)

    def _release(self, slot: Slot, parts: Parts) -> None:
        slot.parts = parts
        self._send()

    def _send(self) -> None:
        """Send the replies at the head of the queue that are ready."""
        out: Parts = []
        while self._slots and self._slots[0].parts is not None:
            slot = self._slots.popleft()
            out += slot.parts or ()
            self._counters.request_seconds[slot.api_key].observe(perf_counter() - slot.started_s)
        if out and self._transport is not None:
            sent = b"".join(out)
            self._transport.write(sent)
            self._counters.sent_bytes += len(sent)
        if not self._is_reading:
            self._balance()

    def _refuse(self, reason: str) -> None:
        self._counters.refused += 1
        log.warning("closed a connection", client=self._host, reason=reason)
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, api: Api, error: Exception) -> None:
        if isinstance(error, CloseConnection):
            self._refuse(str(error))
            return
        log.error("a request failed, its connection is closed", api=api.name, client=self._host, exc_info=error)
        if self._transport is not None:
            self._transport.abort()
