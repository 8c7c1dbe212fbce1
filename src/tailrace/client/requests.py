"""Requests that librdkafka has no function for, each on a connection of its own.

Every function raises KafkaException: of `_TRANSPORT` when nobody answers, or of what the broker says.
"""

import socket
import struct
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from tailrace.lean import NOT_NEEDED, lean
from tailrace.listening import host_and_port

TIMEOUT_S = 5.0
DEFAULT_PORT = 9092

Address = tuple[str, int]


def ask(address: Address, api: str, version: int, **fields: Any) -> Any:
    """Send a request of a flexible version with `kio`'s names for API and fields, and give `kio`'s response."""
    with lean(*NOT_NEEDED):  # only who asks waits for these
        from kio.serial import entity_reader

        from tailrace.wire.encoding import struct_encoder
        from tailrace.wire.messages import message_class

        request, response = (message_class(api, version, direction) for direction in ("request", "response"))
    parts = [struct.pack(">hhihb", request.__api_key__, version, 0, -1, 0)]
    struct_encoder(request)(fields, parts)
    answer, _ = entity_reader(response)(exchange(address, b"".join(parts)), 5)
    return answer


def check(answer: Any) -> Any:
    """Give a part of a response that has an error code, unless it is one."""
    if answer.error_code.value:
        raise KafkaException(KafkaError(answer.error_code.value, answer.error_message))
    return answer


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
