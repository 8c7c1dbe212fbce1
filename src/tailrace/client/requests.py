"""Requests that librdkafka has no function for, each on a connection of its own.

Every function raises KafkaException: of `_TRANSPORT` when nobody answers, or of what the broker says.
"""

from __future__ import annotations

import socket
import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

from tailrace.listening import host_and_port

if TYPE_CHECKING:
    from kio.schema.errors import ErrorCode

TIMEOUT_S = 5.0
DEFAULT_PORT = 9092

Address = tuple[str, int]


def ask(address: Address, request: Any, response: type[Any]) -> Any:
    """Send one of `kio`'s requests of a flexible version, and give its response."""
    from kio.serial import entity_reader, entity_writer

    body = BytesIO()
    body.write(struct.pack(">hhihb", request.__api_key__, request.__version__, 0, -1, 0))
    entity_writer(type(request))(body, request)
    answer, _ = entity_reader(response)(exchange(address, body.getvalue()), 5)
    return answer


def check(error_code: ErrorCode, message: str | None) -> None:
    """Raise what a response says, unless it is nothing."""
    if error_code.value:
        raise KafkaException(KafkaError(error_code.value, message))


def addresses(bootstrap_servers: str) -> list[Address]:
    """Where bootstrap servers are; librdkafka takes them also with a protocol or without a port."""
    found = []
    for server in bootstrap_servers.split(","):
        address = server.strip().rpartition("://")[2]
        found.append(host_and_port(address if address.rpartition(":")[2].isdecimal() else f"{address}:{DEFAULT_PORT}"))
    return found


def exchange(address: Address, request: bytes) -> bytes:
    """Send a request with its header, and give the response with its own."""
    try:
        with socket.create_connection(address, TIMEOUT_S) as connection, connection.makefile("rb") as stream:
            connection.sendall(struct.pack(">i", len(request)) + request)
            size = int.from_bytes(stream.read(4))
            response = stream.read(size)
    except OSError as error:
        raise _unreachable(address, str(error)) from error
    if not size or len(response) < size:
        raise _unreachable(address, "it closed the connection")
    return response


def _unreachable(address: Address, reason: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TRANSPORT, f"the broker at {address[0]}:{address[1]}: {reason}"))
