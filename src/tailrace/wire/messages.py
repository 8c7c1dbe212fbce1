"""Requests and responses by API and version, loaded when a client first uses them.

Each module of `kio` costs about 10 ms to import and there are hundreds, so nothing is imported before it is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from kio.serial import entity_reader

from tailrace.wire.array_check import check_arrays
from tailrace.wire.encoding import Parts, struct_encoder
from tailrace.wire.header import skip_tagged_fields
from tailrace.wire.produce_request import COMPACT_SINCE, read_produce_request

CORRELATION_ID = struct.Struct(">i")


def message_class(api: str, version: int, direction: str) -> type[Any]:
    """The class of `kio` for a message: `message_class("fetch", 12, "request")`."""
    module = import_module(f"kio.schema.{api}.v{version}.{direction}")
    name = "".join(word.capitalize() for word in (*api.split("_"), direction))
    found: type[Any] = getattr(module, name)
    return found


@cache
def _request_reader(api: str, version: int) -> tuple[Any, bool, Callable[[memoryview, int], None]]:
    schema = message_class(api, version, "request")
    return entity_reader(schema), schema.__header_schema__.__version__ >= 2, check_arrays(schema)


def decode_request(api: str, version: int, frame: memoryview, body_start: int) -> Any:
    """Decode the request whose header ends at `body_start`.

    Malformed bytes raise whatever the reader raises: treat every exception as a malformed request.
    """
    if api == "produce":
        start = skip_tagged_fields(frame, body_start) if version >= COMPACT_SINCE else body_start
        return read_produce_request(version, frame, start)
    read, has_tagged_header, check = _request_reader(api, version)
    start = skip_tagged_fields(frame, body_start) if has_tagged_header else body_start
    check(frame, start)
    request, _ = read(frame, start)
    return request


@cache
def _response_writer(api: str, version: int) -> tuple[Any, bytes]:
    schema = message_class(api, version, "response")
    return struct_encoder(schema), b"\0" if schema.__header_schema__.__version__ >= 1 else b""


def encode_response(api: str, version: int, correlation_id: int, response: Mapping[str, Any]) -> Parts:
    """Encode a response with its header and frame length; see `tailrace.wire.encoding` for the dictionary's form."""
    write, header_tail = _response_writer(api, version)
    parts: Parts = [b"", CORRELATION_ID.pack(correlation_id), header_tail]
    write(response, parts)
    parts[0] = struct.pack(">i", sum(map(len, parts)))
    return parts
