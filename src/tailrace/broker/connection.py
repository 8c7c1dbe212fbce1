"""Connections: bytes to requests, requests to handlers, replies back in the order of the requests.

A reply is sent when everything that was recorded before it is durable. So no client ever sees a state that a crash
could take back, and handlers do not have to think about it. What does not speak of state that can be lost says so in
the dispatch table and is answered at once.

A request waits in `_held` until it may be handled: not while the client has many open or does not read its replies,
while there is no memory for it, or while it is not known yet who the client is and another request is to tell that.
Meanwhile the connection is not read.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar, cast

import structlog

from tailrace.broker.broker import Broker
from tailrace.broker.call import Call, CloseConnection, Reply
from tailrace.broker.dispatch import APIS, Api, unsupported_version_response
from tailrace.broker.handlers.sasl_authenticate import take_token
from tailrace.broker.limits.in_flight import Claim, InFlight
from tailrace.broker.limits.patience import Patience
from tailrace.broker.reply_queue import ReplyQueue, Slot
from tailrace.broker.security.authentication import Authentication, Stage
from tailrace.broker.security.tls import certificate_principal
from tailrace.wire.encoding import Parts
from tailrace.wire.framing import FrameBuffer, FrameError
from tailrace.wire.header import RequestHeader, parse_request_header
from tailrace.wire.messages import decode_request, encode_response

log = structlog.get_logger()

OPEN_REQUESTS_MAX = 200
OPEN_BYTES_MAX = 16 << 20
UNSENT_BYTES_MAX = 16 << 20
JOINED_BYTES_MAX = 1 << 16  # from where on it costs less to write parts than to copy them into one
_connection_numbers = count(1)
_tasks: set[asyncio.Future[Any]] = set()
T = TypeVar("T")


class Connection(asyncio.BufferedProtocol):
    """One client's connection; `on_end` is called when it is over."""

    def __init__(self, broker: Broker, in_flight: InFlight, on_end: Callable[[Connection], None]) -> None:
        self._broker = broker
        self._memory = Claim(in_flight, self._handle_held)
        self._on_end = on_end
        self._counters = broker.connection_counters
        self._number = next(_connection_numbers)
        self._patience = Patience(broker.config, broker.loop.time())
        self._frames = FrameBuffer(broker.config.socket_request_max_bytes)
        self._held: deque[memoryview] = deque()
        self._replies = ReplyQueue(self._counters)
        self._transport: asyncio.Transport | None = None
        self._authentication = Authentication()
        self._host = ""
        self._can_write = True
        self._is_reading = True
        self._is_handling = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, and who the client's certificate says it is."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._host = f"/{peer[0]}" if peer else ""
        config = self._broker.config
        certificate_holder: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if config.security_protocol.uses_sasl:
            self._authentication = Authentication(
                mechanisms=config.sasl_enabled_mechanisms, users=self._broker.state.users
            )
            self._frames.max_frame_bytes = config.sasl_server_max_receive_size
        else:
            self._authentication = Authentication(certificate_principal(certificate_holder))
        self._counters.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; what its requests do goes on."""
        self._transport = None
        self._held.clear()
        self._memory.end()
        self._on_end(self)
        self._counters.closed += 1

    def close(self) -> None:
        """Close the connection when what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def check(self, now: float) -> None:
        """Close the connection when the client lets us wait for too long; `now` is the event loop's time."""
        if self._transport is None or self._transport.is_closing():
            return
        overdue = self._patience.overdue(
            now,
            is_known=self._authentication.is_open,
            is_receiving=self._is_reading and not self._frames.is_empty,
            is_idle=not self._replies and not self._held,
            unread_bytes=0 if self._can_write else self._transport.get_write_buffer_size(),
        )
        if overdue is not None:
            log.info("gave up a connection", client=self._host, reason=overdue)
            self._transport.abort()

    # -- reading and writing -------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The client does not read fast enough: handle no more of its requests."""
        self._can_write = False
        self._balance()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._can_write = True
        self._patience.was_read(self._broker.loop.time())
        self._send()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to receive: large requests arrive where they stay."""
        return self._frames.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Handle each request that is complete."""
        self._counters.received_bytes += nbytes
        try:
            self._held.extend(self._frames.received(nbytes))
        except FrameError as error:
            self._handle_held()
            self._refuse(str(error))
            return
        self._patience.heard(self._broker.loop.time(), is_complete=bool(self._held))
        self._handle_held()

    def _balance(self) -> None:
        """Read when the next request can be handled as soon as it is complete."""
        may_read = not self._held and not self._memory.is_waiting and self._may_handle()
        if self._transport is None or may_read == self._is_reading or self._transport.is_closing():
            return
        self._is_reading = may_read
        if may_read:
            self._patience.hears_again(self._broker.loop.time())
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _may_handle(self) -> bool:
        if not self._authentication.is_open:
            return not self._replies and self._authentication.stage is not Stage.FAILED
        return (
            self._can_write
            and len(self._replies) < OPEN_REQUESTS_MAX
            and self._memory.open_bytes < OPEN_BYTES_MAX
            and self._replies.unsent_bytes < UNSENT_BYTES_MAX
        )

    def _handle_held(self) -> None:
        """Handle requests in their order as far as possible now, and make room for the next."""
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._held and self._transport is not None and not self._transport.is_closing():
                if not self._may_handle() or not self._memory.take(len(self._held[0])):
                    break
                self._receive(self._held.popleft(), Slot(self._memory.hand_over()))
        finally:
            self._is_handling = False
        if not self._held and self._frames.expected_bytes and self._transport is not None:
            self._memory.take(self._frames.expected_bytes)
        self._balance()

    # -- requests ------------------------------------------------------------------------------------------------

    def _receive(self, frame: memoryview, slot: Slot) -> None:
        if self._authentication.stage is Stage.BARE_TOKENS:
            self._replies.add(slot)
            self._start(self._answer_token(bytes(frame), slot))
            return
        try:
            header = parse_request_header(frame)
        except Exception as error:
            self._refuse(f"a request header of {len(frame)} bytes cannot be read: {error}", slot)
            return
        api = APIS.get(header.api_key)
        slot.api_key = header.api_key
        if api is None or header.api_version not in api.decodes:
            self._answer_unsupported(api, header, slot)
            return
        if not self._is_admitted(api):
            self._refuse(f"{api.name} must not be asked by somebody unknown: {self._authentication.stage.name}", slot)
            return
        try:
            request = decode_request(api.name, header.api_version, frame, header.end)
        except Exception as error:
            self._refuse(f"a {api.name} request, version {header.api_version}, cannot be read: {error!r}", slot)
            return
        self._replies.add(slot)
        call = Call(
            self._broker,
            header.api_version,
            header.correlation_id,
            header.client_id or "",
            self._host,
            self._number,
            self._authentication,
        )
        try:
            result = api.handle(request, call)
        except Exception as error:
            self._fail(api, error, slot)
            return
        if inspect.isawaitable(result):
            # It may wait for other requests, which must not wait for its memory.
            self._free(slot)
            self._start(result, lambda done: self._finish(api, call, slot, done))
        else:
            self._complete(api, call, slot, result)

    def _is_admitted(self, api: Api) -> bool:
        authentication = self._authentication
        if authentication.is_open:
            expires_at = authentication.expires_at
            return expires_at is None or api.name == "sasl_handshake" or self._broker.loop.time() < expires_at
        return authentication.admits(api.name)

    def _answer_unsupported(self, api: Api | None, header: RequestHeader, slot: Slot) -> None:
        if api is None or api.name != "api_versions" or not self._is_admitted(api):
            name = api.name if api else f"API {header.api_key}"
            self._refuse(f"{name}, version {header.api_version}, is not supported", slot)
            return
        self._replies.add(slot)
        parts = encode_response("api_versions", 0, header.correlation_id, unsupported_version_response())
        self._release(slot, parts)

    async def _answer_token(self, token: bytes, slot: Slot) -> None:
        """A SASL token without a request around it; its answer has nothing around it, too (KIP-43)."""
        answer = await take_token(self._authentication, token, self._broker.config)
        parts = [] if answer is None else [struct.pack(">i", len(answer)), answer]
        self._release(slot, parts)

    def _start(self, work: Awaitable[T], then: Callable[[asyncio.Future[T]], object] = lambda _: None) -> None:
        task = asyncio.ensure_future(work)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        task.add_done_callback(then)

    def _finish(self, api: Api, call: Call, slot: Slot, done: asyncio.Future[Reply]) -> None:
        if done.cancelled():  # the broker ends
            return
        error = done.exception()
        if error is None:
            self._complete(api, call, slot, done.result())
        else:
            self._fail(api, error, slot)

    # -- replies -------------------------------------------------------------------------------------------------

    def _complete(self, api: Api, call: Call, slot: Slot, reply: Reply) -> None:
        """Encode a reply and send it when it may be sent."""
        try:
            parts = _encoded(api, call, reply)
        except Exception as error:
            self._fail(api, error, slot)
            return
        commit = self._broker.commit
        if api.waits and commit.durable_frame < commit.recorded_frame:
            commit.when_durable(commit.recorded_frame, lambda: self._release(slot, parts))
        else:
            self._release(slot, parts)

    def _release(self, slot: Slot, parts: Parts) -> None:
        self._free(slot)
        self._replies.fill(slot, parts)
        self._send()

    def _free(self, slot: Slot) -> None:
        size, slot.taken_bytes = slot.taken_bytes, 0
        self._memory.give_back(size)

    def _send(self) -> None:
        """Send what is ready, if the client reads."""
        out = self._replies.take_ready() if self._can_write else []
        if out and self._transport is not None:
            if sum(map(len, out)) < JOINED_BYTES_MAX:
                self._transport.write(b"".join(out))
            else:
                self._transport.writelines(out)
        if self._authentication.mechanisms:
            self._after_login_step()
        if self._replies.unsent_bytes > self._broker.config.socket_send_max_bytes:
            self._refuse(f"{self._replies.unsent_bytes:,} bytes wait to be read")
        if self._held or not self._is_reading:
            self._handle_held()

    def _after_login_step(self) -> None:
        if self._authentication.is_open:
            self._frames.max_frame_bytes = self._broker.config.socket_request_max_bytes
        elif self._authentication.stage is Stage.FAILED and not self._replies:
            self.close()

    def _refuse(self, reason: str, slot: Slot | None = None) -> None:
        self._counters.refused += 1
        log.warning("closed a connection", client=self._host, reason=reason)
        self._abort(slot)

    def _fail(self, api: Api, error: BaseException, slot: Slot) -> None:
        if isinstance(error, CloseConnection):
            self._refuse(str(error), slot)
            return
        log.error("a request failed, its connection is closed", api=api.name, client=self._host, exc_info=error)
        self._abort(slot)

    def _abort(self, slot: Slot | None) -> None:
        if slot is not None:
            self._free(slot)
        if self._transport is not None:
            self._transport.abort()


def _encoded(api: Api, call: Call, reply: Reply) -> Parts:
    if reply is None:
        return []
    if isinstance(reply, list):
        return reply
    return encode_response(api.name, call.api_version, call.correlation_id, reply)
