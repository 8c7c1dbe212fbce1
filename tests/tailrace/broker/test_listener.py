"""Connections as clients make them: logging in, and the limits of size, time and number."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.dispatch import APIS
from tailrace.broker.events import CredentialSet
from tailrace.broker.handlers import fetch
from tailrace.broker.limits.config import LimitsConfig
from tailrace.broker.listener import Listener
from tailrace.broker.security.config import Mechanism, SecurityProtocol
from tailrace.broker.security.credentials import credential
from tailrace.broker.security.tls import server_context
from tailrace.listening import take_address
from tests.certificates import Authority

from .conftest import Scenario, append, batch, create_topic, running
from .requests import decode_response, encode_request, framed

KEYS = {api.name: api.key for api in APIS.values()}
SASL = {"security_protocol": SecurityProtocol.SASL_PLAINTEXT, "connection_failed_authentication_delay_ms": 50}
PASSWORD = b"\0alice\0secret"


class Client:
    """A client that says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._correlation_id = 0

    def send(self, api: str, version: int, **request: Any) -> None:
        self._correlation_id += 1
        self.writer.write(framed(encode_request(api, KEYS[api], version, self._correlation_id, request)))

    async def receive(self) -> bytes:
        """A frame; empty when the connection was closed."""
        try:
            size = struct.unpack(">i", await asyncio.wait_for(self.reader.readexactly(4), 10))[0]
            return await asyncio.wait_for(self.reader.readexactly(size), 10)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def ask(self, api: str, version: int, **request: Any) -> Any:
        """The response, None when the connection was closed."""
        self.send(api, version, **request)
        frame = await self.receive()
        return decode_response(api, version, frame) if frame else None

    async def log_in(self, token: bytes = PASSWORD) -> Any:
        await self.ask("sasl_handshake", 1, mechanism="PLAIN")
        return await self.ask("sasl_authenticate", 2, auth_bytes=token)

    async def is_served(self) -> bool:
        return await self.ask("metadata", 12, topics=None) is not None


class Door:
    """A listener with its broker; connections that a test opens are closed at its end."""

    def __init__(self, broker: Broker, listener: Listener, port: int) -> None:
        self.broker = broker
        self.listener = listener
        self.port = port
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()


@asynccontextmanager
async def listening(data: Path, **config: Any) -> AsyncIterator[Door]:
    async with running(data, **config) as broker:
        broker.record(events=[CredentialSet(credential("alice", Mechanism.SCRAM_SHA_256, "secret", b"salt", 4096))])
        taken = take_address("127.0.0.1", 0)
        listener = Listener(broker, taken, server_context(broker.config))
        listener.start()
        door = Door(broker, listener, taken.getsockname()[1])
        try:
            yield door
        finally:
            door.close()
            listener.close()


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for says nothing when it happens
        await asyncio.sleep(0.01)


async def connections(door: Door) -> list[Any]:
    await until(lambda: door.listener._connections)
    return list(door.listener._connections)


Run = Callable[[Scenario], None]


# -- logging in -------------------------------------------------------------------------------------------------------


def test_who_logs_in_is_served(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            client = await door.connect()
            assert await client.ask("api_versions", 4, client_software_name="a", client_software_version="1")
            handshake = await client.ask("sasl_handshake", 1, mechanism="PLAIN")
            assert handshake.error_code is ErrorCode.none
            assert set(handshake.mechanisms) == {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
            done = await client.ask("sasl_authenticate", 2, auth_bytes=PASSWORD)
            assert done.error_code is ErrorCode.none
            assert await client.is_served()

    run(scenario)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(framed(encode_request("metadata", 3, 12, 1, {"topics": None})), id="another request"),
        pytest.param(
            framed(encode_request("sasl_authenticate", 36, 2, 1, {"auth_bytes": PASSWORD})), id="no handshake"
        ),
        pytest.param(struct.pack(">i", (512 << 10) + 1), id="more than 512 KiB"),
        pytest.param(framed(struct.pack(">hhih", 9999, 0, 1, -1)), id="unknown API"),
        pytest.param(framed(b""), id="nothing"),
    ],
)
def test_before_that_everything_else_closes_the_connection(tmp_path: Path, run: Run, data: bytes) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            client = await door.connect()
            client.writer.write(data)
            assert await client.receive() == b""

    run(scenario)


def test_a_large_request_is_taken_after_the_login(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            client = await door.connect()
            await client.log_in()
            names = [{"name": "x" * 249}] * 3000
            assert len(encode_request("metadata", 3, 8, 1, {"topics": names})) > 512 << 10
            assert await client.ask("metadata", 8, topics=names)

    run(scenario)


def test_requests_may_be_sent_before_the_login_is_answered(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            client = await door.connect()
            client.send("sasl_handshake", 1, mechanism="PLAIN")
            client.send("sasl_authenticate", 2, auth_bytes=PASSWORD)
            client.send("metadata", 12, topics=None)
            frames = [await client.receive() for _ in range(3)]
            assert [frame[:4] for frame in frames] == [struct.pack(">i", number) for number in (1, 2, 3)]

    run(scenario)


def test_a_wrong_password_is_answered_late_and_closes_the_connection(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            client = await door.connect()
            started = asyncio.get_running_loop().time()
            refused = await client.log_in(b"\0alice\0wrong")
            assert refused.error_code is ErrorCode.sasl_authentication_failed
            assert "alice" not in refused.error_message
            assert asyncio.get_running_loop().time() - started >= 0.05
            assert await client.receive() == b""

    run(scenario)


def test_a_mechanism_that_is_not_enabled_is_answered_with_those_that_are(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL, sasl_enabled_mechanisms=(Mechanism.PLAIN,)) as door:
            client = await door.connect()
            refused = await client.ask("sasl_handshake", 1, mechanism="SCRAM-SHA-256")
            assert (refused.error_code, refused.mechanisms) == (ErrorCode.unsupported_sasl_mechanism, ("PLAIN",))
            assert await client.receive() == b""

    run(scenario)


def test_old_clients_send_tokens_without_a_request(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL) as door:
            for token, is_right in ((PASSWORD, True), (b"\0alice\0wrong", False)):
                client = await door.connect()
                await client.ask("sasl_handshake", 0, mechanism="PLAIN")
                client.writer.write(framed(token))
                if is_right:
                    assert await client.reader.readexactly(4) == bytes(4)
                assert await client.is_served() == is_right

    run(scenario)


def test_a_login_ends_unless_it_is_repeated(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL, connections_max_reauth_ms=60_000) as door:
            client = await door.connect()
            answer = await client.log_in()
            assert answer.session_lifetime.total_seconds() == 60
            [connection] = await connections(door)
            for _ in range(2):
                assert connection._authentication.expires_at > asyncio.get_running_loop().time() + 50
                assert await client.is_served()
                connection._authentication.expires_at = asyncio.get_running_loop().time()
                # A new login is all that is answered now.
                assert (await client.log_in()).error_code is ErrorCode.none
            assert await client.is_served()
            connection._authentication.expires_at = asyncio.get_running_loop().time()
            assert not await client.is_served()

    run(scenario)


def test_without_sasl_there_is_nothing_to_log_in_to(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as door:
            client = await door.connect()
            assert (await client.log_in()).error_code is ErrorCode.illegal_sasl_state
            assert await client.is_served()

    run(scenario)


# -- limits -----------------------------------------------------------------------------------------------------------


async def is_closed(client: Client, within_s: float = 5) -> bool:
    try:
        return await asyncio.wait_for(client.reader.read(1), within_s) == b""
    except ConnectionResetError:
        return True


def test_who_does_not_log_in_in_time_is_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **SASL, connection_authentication_timeout_ms=100) as door:
            slow, quick = await door.connect(), await door.connect()
            await quick.log_in()
            await slow.ask("sasl_handshake", 1, mechanism="PLAIN")
            assert await is_closed(slow)
            assert await quick.is_served()

    run(scenario)


def test_who_begins_no_tls_is_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        tls = {
            "security_protocol": SecurityProtocol.SSL,
            "ssl_keystore_location": Authority(tmp_path).issue("broker"),
            "connection_authentication_timeout_ms": 200,
            "max_connections": 1,
        }
        async with listening(tmp_path / "data", **tls) as door:
            first = await door.connect()
            second = await door.connect()
            assert await is_closed(second, 0.15), "it counts before it is known"
            assert await is_closed(first)
            garbage = await door.connect()
            garbage.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await garbage.reader.read())[:1] in (b"", b"\x15")

    run(scenario)


def test_who_begins_tls_and_goes_leaves_nothing(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        authority = Authority(tmp_path)
        tls = {"security_protocol": SecurityProtocol.SSL, "ssl_keystore_location": authority.issue("broker")}
        context = ssl.create_default_context(cafile=str(authority.file))
        async with listening(tmp_path / "data", **tls, max_connections=1) as door:
            for number in range(6):
                reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
                client = Client(reader, writer)
                if number % 2:
                    assert await client.is_served()
                writer.transport.abort()
                await until(lambda: not door.listener._connections)

    run(scenario)


def test_an_incomplete_request_is_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, socket_receive_timeout_ms=300) as door:
            client, busy = await door.connect(), await door.connect()
            client.writer.write(struct.pack(">i", 1000) + b"something")
            while not client.reader.at_eof():
                assert await busy.is_served()
                await asyncio.sleep(0.02)
            assert await is_closed(client)
            assert await busy.is_served()

    run(scenario)


def test_an_idle_connection_is_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, connections_max_idle_ms=300) as door:
            idle, waiting = await door.connect(), await door.connect()
            create_topic(door.broker)
            fetch = {"max_wait": 1500, "min_bytes": 1, "max_bytes": 1000, "topics": [topic_to_fetch(1000)]}
            waiting.send("fetch", 4, **fetch)
            assert await is_closed(idle)
            assert await waiting.receive() != b"", "who waits for an answer is not idle"

    run(scenario)


def test_a_reply_is_no_larger_than_the_broker_wants(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, fetch_max_bytes=10_000) as door:
            topic = create_topic(door.broker)
            for _ in range(50):
                append(door.broker, topic, b"x" * 1000)
            await door.broker.commit.durable()
            client = await door.connect()
            everything = [topic_to_fetch(1 << 30)]
            answer = await client.ask("fetch", 4, max_wait=0, max_bytes=1 << 30, topics=everything)
            assert 5_000 < len(answer.responses[0].partitions[0].records) < 15_000

    run(scenario)


def produce_request(value: bytes) -> dict[str, Any]:
    data = [{"index": 0, "records": batch(value)}]
    return {"acks": -1, "timeout_ms": 1000, "topic_data": [{"name": "topic", "partition_data": data}]}


def topic_to_fetch(max_bytes: int) -> dict[str, Any]:
    partition = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": max_bytes}
    return {"topic": "topic", "partitions": [partition]}


def test_who_does_not_read_is_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, socket_send_timeout_ms=300) as door:
            topic = create_topic(door.broker, max_message_bytes=str(8 << 20))
            append(door.broker, topic, b"x" * (4 << 20))
            await door.broker.commit.durable()
            client = await door.connect()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            sock: socket.socket = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(500):
                client.send("fetch", 4, max_wait=0, max_bytes=8 << 20, topics=[topic_to_fetch(8 << 20)])
            [connection] = await connections(door)
            peak_bytes = 0
            while connection._transport is not None:
                peak_bytes = max(
                    peak_bytes, connection._replies.unsent_bytes + connection._transport.get_write_buffer_size()
                )
                await asyncio.sleep(0.01)
            assert 0 < peak_bytes < 64 << 20, "500 replies of 4 MiB were asked for"

    run(scenario)


def test_one_client_cannot_have_much_open(tmp_path: Path, run: Run) -> None:
    """What it sends beyond that stays in its socket until something is durable."""

    async def scenario() -> None:
        async with listening(tmp_path) as door:
            topic = create_topic(door.broker, max_message_bytes=str(4 << 20))
            await door.broker.commit.durable()
            held, release = asyncio.Event(), asyncio.Event()

            async def hold(act: Callable[..., None], *arguments: object) -> None:
                held.set()
                await release.wait()
                act(*arguments)

            door.broker.commit._in_thread = hold  # type: ignore[method-assign]
            client = await door.connect()
            for _ in range(20):
                client.send("produce", 9, **produce_request(b"x" * (3 << 20)))
            await held.wait()
            await until(lambda: topic.partitions[0].log_end_offset >= 6)
            await asyncio.sleep(0.2)
            assert topic.partitions[0].log_end_offset == 6, "the sixth goes beyond 16 MiB"
            release.set()
            answers = [await client.receive() for _ in range(20)]
            assert all(answers)
            assert topic.partitions[0].high_watermark == 20

    run(scenario)


@pytest.mark.parametrize("ends_by", ["records", "time"])
def test_who_waits_for_records_that_cannot_be_read_is_not_left_waiting(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async def scenario() -> None:
        async with listening(tmp_path) as door:
            topic = create_topic(door.broker)
            await door.broker.commit.durable()
            client = await door.connect()
            max_wait_ms = 20_000 if ends_by == "records" else 300
            client.send("fetch", 4, max_wait=max_wait_ms, min_bytes=1, max_bytes=100, topics=[topic_to_fetch(100)])
            await until(lambda: door.broker._readers)
            monkeypatch.setattr(fetch, "_read", fail)
            if ends_by == "records":
                append(door.broker, topic, b"x")
            assert await is_closed(client)
            assert not door.broker._readers

    run(scenario)


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_ip"])
def test_connections_are_counted(tmp_path: Path, run: Run, limit: str) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, **{limit: 2}) as door:
            first, second = await door.connect(), await door.connect()
            assert await first.is_served()
            assert await second.is_served()
            assert await is_closed(await door.connect())
            first.writer.close()
            await until(lambda: len(door.listener._connections) == 1)
            assert await (await door.connect()).is_served()

    run(scenario)


def test_requests_wait_until_there_is_memory_for_them(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        limit = 1 << 20
        async with listening(tmp_path, queued_max_request_bytes=limit) as door:
            create_topic(door.broker)
            in_flight = door.listener._in_flight
            clients = [await door.connect() for _ in range(20)]
            peaks = []
            door.broker.commit.advanced = lambda _: peaks.append(in_flight.bytes)
            for client in clients:
                client.send("produce", 9, **produce_request(b"x" * 700_000))
            answers = [decode_response("produce", 9, await client.receive()) for client in clients]
            offsets = sorted(answer.responses[0].partition_responses[0].base_offset for answer in answers)
            assert offsets == list(range(20))
            assert max(peaks) <= limit
            assert in_flight.bytes == 0

    run(scenario)


def test_a_request_larger_than_all_memory_is_let_in_alone(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, queued_max_request_bytes=1000) as door:
            clients = [await door.connect() for _ in range(4)]
            names = [{"name": "x" * 249}] * 100
            for client in clients:
                client.send("metadata", 8, topics=names)
            assert all([await client.receive() for client in clients])
            assert door.listener._in_flight.bytes == 0

    run(scenario)


def test_who_stalls_with_memory_taken_gives_it_back_when_given_up(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with listening(tmp_path, queued_max_request_bytes=1000, socket_receive_timeout_ms=300) as door:
            stalled, patient = await door.connect(), await door.connect()
            stalled.writer.write(struct.pack(">i", 2000) + b"something")
            await until(lambda: door.listener._in_flight.bytes)
            assert await patient.is_served()
            assert await is_closed(stalled)

    run(scenario)


def test_the_defaults_are_kafkas_where_it_has_any() -> None:
    defaults = LimitsConfig()
    assert defaults.socket_request_max_bytes == 100 << 20
    assert defaults.sasl_server_max_receive_size == 512 << 10
    assert defaults.connections_max_idle_ms == 600_000
    assert defaults.fetch_max_bytes == 55 << 20
    assert defaults.connection_authentication_timeout_ms == 10_000
