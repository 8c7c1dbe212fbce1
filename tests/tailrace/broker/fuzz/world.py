"""A broker in this process that any bytes can be sent to, and what must hold whatever they are.

- A connection is answered in frames, in the order of the requests, or closed.
- No handler fails unexpectedly: nothing is logged as an error, and nothing is raised in the event loop.
- Afterwards the broker serves others, and its memory for requests is free again.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from kio.schema.errors import ErrorCode
from kio.serial.errors import OutOfBoundValue
from structlog.testing import capture_logs

from tailrace.broker.append import Append
from tailrace.broker.broker import Broker
from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.connection import Connection
from tailrace.broker.disk import Disk
from tailrace.broker.dispatch import APIS
from tailrace.broker.events import CredentialSet, OffsetsCommitted, ProducerInitialized, TopicCreated
from tailrace.broker.limits.in_flight import InFlight
from tailrace.broker.recovery import recover
from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential
from tailrace.wire.framing import FrameBuffer
from tailrace.wire.header import parse_request_header
from tailrace.wire.record_batch import Record, encode_batch
from tests.tailrace.broker.wire import receive

from ..requests import decode_response, encode_request, framed

NOW_MS = 1_700_000_000_000
TOPICS = {
    "topic": {},
    "compacted": {"cleanup.policy": "compact"},
    "stamped": {"message.timestamp.type": "LogAppendTime"},
}
NAMES = (*TOPICS, "group", "txn", "alice", "1", "cleanup.policy", "retention.ms")
PRODUCER_ID = 1000
TOPIC_ID = UUID(bytes=b"topic".ljust(16, b"\0"))


class Wire(asyncio.Transport):
    """The other end of a connection: keeps what is written."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self._connection = Connection(world.broker, world.in_flight, lambda _: None)
        self._connection.connection_made(self)

    def send(self, data: bytes) -> None:
        if not self.is_closed:
            receive(self._connection, data)

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)

    close = abort

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default


class World:
    """Topics with records, a group, a transactional id and a user; everything is gone at the end."""

    def __init__(self, **config: Any) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._config = config
        self._failures: list[str] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._failures.append(repr(context)))
        self._loop.run_until_complete(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.close()
        self._directory.cleanup()

    async def _start(self) -> None:
        data = Path(self._directory.name)
        disk = Disk(data)
        config = BrokerConfig(data=data, flush=Flush.KAFKA, **self._config)
        self.broker = Broker(
            config, disk, recover(disk), lambda error: self._failures.append(repr(error)), lambda: NOW_MS
        )
        self.in_flight = InFlight(config.queued_max_request_bytes, self._loop.call_soon)
        self.broker.start()
        for name, configs in TOPICS.items():
            self.broker.record(events=[TopicCreated(name, name.encode().ljust(16, b"\0"), 2, configs)])
            topic = self.broker.state.topics.by_name(name)
            assert topic is not None
            records = [Record(number, NOW_MS + number, b"key", b"value") for number in range(3)]
            self.broker.record([Append(topic, 0, encode_batch(records))])
        self.broker.record(
            events=[
                OffsetsCommitted("group", [("topic", 0, 1, 0, "", NOW_MS)]),
                ProducerInitialized("txn", PRODUCER_ID, 0, 60_000, -1, -1),
                CredentialSet(credential("alice", Mechanism.SCRAM_SHA_256, "secret", b"salt", 4096)),
            ]
        )
        await self.broker.commit.durable()

    async def _stop(self) -> None:
        self.broker.commit.abandon()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run(self, act: Callable[[Wire], None]) -> Wire:
        """Let somebody act on a new connection, wait for what comes of it at once, and see that all is well."""
        with capture_logs() as lines:
            wire = self._loop.run_until_complete(self._run(act))
        self._failures += [repr(line) for line in lines if line["log_level"] in ("error", "critical")]
        assert not self._failures, self._failures.pop()
        return wire

    async def _run(self, act: Callable[[Wire], None]) -> Wire:
        wire = Wire(self)
        act(wire)
        await self._settle()
        still_there = Wire(self)
        still_there.send(framed(encode_request("api_versions", 18, 0, 99, {})))
        await self._settle()
        wire.abort()
        still_there.abort()
        await self._settle()
        assert still_there.written[4:8] == struct.pack(">i", 99), "the broker does not serve others any more"
        assert self.in_flight.bytes == 0, f"{self.in_flight.bytes} bytes of requests are never given back"
        return wire

    async def _settle(self) -> None:
        for _ in range(2):
            await self.broker.commit.durable()
            for _ in range(5):
                await asyncio.sleep(0)

    def send(self, data: bytes | Iterable[bytes]) -> Wire:
        """Send bytes, in pieces if they are given so."""
        pieces = [data] if isinstance(data, bytes) else list(data)

        def act(wire: Wire) -> None:
            for piece in pieces:
                wire.send(piece)

        return self.run(act)

    def ask(self, request: bytes) -> Any:
        """Send one request without its length; gives the decoded response, None when there is none."""
        wire = self.send(framed(request))
        frames = list(FrameBuffer(1 << 30).feed(wire.written))
        assert len(frames) <= 1, f"{len(frames)} replies to one request"
        if not frames:
            return None
        header = parse_request_header(memoryview(request))
        assert bytes(frames[0][:4]) == struct.pack(">i", header.correlation_id)
        api = APIS[header.api_key]
        if header.api_version not in api.decodes:
            assert decode_response("api_versions", 0, bytes(frames[0])).error_code is ErrorCode.unsupported_version
            return None
        try:
            return decode_response(api.name, header.api_version, bytes(frames[0]))
        except OutOfBoundValue:  # kio has no times before 1970, Kafka has -1 for none
            return None
