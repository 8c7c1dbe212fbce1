"""Requests of every API and version, made from Kafka's message definitions.

A request is a dictionary with the field names of `kio`, as responses are in `tailrace.wire.encoding`, which encodes it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any
from uuid import UUID

from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from tailrace.wire.encoding import Encode, classify, struct_encoder
from tailrace.wire.messages import message_class


@cache
def _writer(api: str, version: int) -> tuple[Encode, bytes]:
    schema = message_class(api, version, "request")
    return struct_encoder(schema), b"\0" if schema.__header_schema__.__version__ >= 2 else b""


def encode_request(
    api: str, api_key: int, version: int, correlation_id: int, request: Mapping[str, Any], client_id: str = "test"
) -> bytes:
    """A request with its header, without the length of the frame."""
    write, header_tail = _writer(api, version)
    name = client_id.encode()
    parts = [struct.pack(">hhih", api_key, version, correlation_id, len(name)), name, header_tail]
    write(request, parts)
    return b"".join(parts)


def framed(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


def decode_response(api: str, version: int, frame: bytes) -> Any:
    """The response in a frame without its length."""
    schema = message_class(api, version, "response")
    start = 4 + (1 if schema.__header_schema__.__version__ >= 1 else 0)
    response, end = entity_reader(schema)(memoryview(frame), start)
    assert end == len(frame) - start or end == len(frame), f"{len(frame)} bytes of which {end} were read"
    return response


def error_codes(message: Any) -> set[ErrorCode]:
    """All error codes in a decoded message."""
    if isinstance(message, ErrorCode):
        return {message}
    if isinstance(message, tuple):
        return {code for item in message for code in error_codes(item)}
    if is_dataclass(message):
        return {code for field in fields(message) for code in error_codes(getattr(message, field.name))}
    return set()


def sample(schema: type[Any], name: str, topic_id: UUID) -> dict[str, Any]:
    """A request in which every array has one item, every string is `name` and every number is 0."""

    def value(field: Field[Any]) -> Any:
        shape, item = classify(field.type)
        if is_dataclass(item):
            content: Any = sample(item, name, topic_id)
        else:
            kind = field.metadata["kafka_type"]
            content = {"string": name, "bytes": b"", "records": b"", "uuid": topic_id}.get(kind, 0)
        return [content] if "[]" in shape else content

    return {field.name: value(field) for field in fields(schema)}
