"""Connections: malformed requests, order of replies, limits."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

API_VERSIONS, METADATA, FETCH = 18, 3, 1


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


@contextmanager
def connected(broker: Engine) -> Iterator[socket.socket]:
    host, port = broker.bootstrap_servers.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        yield connection


def request(api_key: int, version: int, correlation_id: int, body: bytes = b"") -> bytes:
    content = struct.pack(">hhih", api_key, version, correlation_id, -1) + body
    return struct.pack(">i", len(content)) + content


def receive(connection: socket.socket) -> bytes:
    """One response without its length; empty when the connection was closed."""
    stream = connection.makefile("rb", buffering=0)
    length = stream.read(4) or b""
    if len(length) < 4:
        return b""
    size = struct.unpack(">i", length)[0]
    data = b""
    while len(data) < size:
        data += stream.read(size - len(data)) or b""
    return data


def correlation_id(response: bytes) -> int:
    return int.from_bytes(response[:4], "big")


def is_alive(broker: Engine) -> bool:
    with connected(broker) as connection:
        connection.sendall(request(API_VERSIONS, 0, 99))
        return correlation_id(receive(connection)) == 99


def test_replies_come_in_the_order_of_the_requests(broker: Engine) -> None:
    # A fetch that waits is sent first; what follows is answered after it.
    wait_ms = 300
    fetch = struct.pack(">iiiibi", -1, wait_ms, 1, 1 << 20, 0, 0)
    with connected(broker) as connection:
        connection.sendall(request(FETCH, 4, 1, fetch) + request(API_VERSIONS, 0, 2) + request(API_VERSIONS, 2, 3))
        assert [correlation_id(receive(connection)) for _ in range(3)] == [1, 2, 3]


def test_a_version_of_api_versions_that_is_too_new_is_answered_in_version_0(broker: Engine) -> None:
    with connected(broker) as connection:
        connection.sendall(request(API_VERSIONS, 99, 5, b"\x00"))
        response = receive(connection)
    assert struct.unpack_from(">ih", response) == (5, 35)
    assert struct.unpack_from(">i", response, 6)[0] > 30


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(struct.pack(">i", -1), id="negative length"),
        pytest.param(struct.pack(">i", 2**31 - 1), id="huge length"),
        pytest.param(struct.pack(">i", 3) + b"abc", id="too short for a header"),
        pytest.param(request(9999, 0, 1), id="unknown API"),
        pytest.param(request(METADATA, 99, 1), id="unknown version"),
        pytest.param(request(METADATA, 12, 1), id="no body"),
        pytest.param(request(METADATA, 1, 1, struct.pack(">i", 2**31 - 1)), id="array that cannot fit"),
        pytest.param(struct.pack(">ihhih", 10, 18, 0, 1, 1000), id="client id that cannot fit"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(bytes([0x16, 3, 1, 2, 0]) * 10, id="TLS"),
    ],
)
def test_a_malformed_request_closes_the_connection(broker: Engine, data: bytes) -> None:
    with connected(broker) as connection:
        connection.sendall(data)
        with suppress(ConnectionResetError):
            assert receive(connection) == b""
    assert is_alive(broker)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(api_key=st.integers(0, 70), version=st.integers(0, 12), body=st.binary(max_size=60))
def test_no_request_stops_the_broker(broker: Engine, api_key: int, version: int, body: bytes) -> None:
    with connected(broker) as connection:
        connection.sendall(request(api_key, version, 1, body))
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
    assert is_alive(broker)


def test_a_request_in_single_bytes_is_answered(broker: Engine) -> None:
    with connected(broker) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(API_VERSIONS, 0, 4):
            connection.sendall(bytes([byte]))
        assert correlation_id(receive(connection)) == 4


def test_many_requests_at_once_are_all_answered(broker: Engine) -> None:
    count = 2000
    with connected(broker) as connection:
        connection.sendall(b"".join(request(API_VERSIONS, 0, number) for number in range(count)))
        stream: Callable[[int], bytes] = connection.makefile("rb").read
        for number in range(count):
            size = struct.unpack(">i", stream(4))[0]
            assert correlation_id(stream(size)) == number
