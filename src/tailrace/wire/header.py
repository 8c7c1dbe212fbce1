"""Request headers, versions 1 and 2 (KIP-482 adds tagged fields in version 2)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from tailrace.wire.varint import read_unsigned_varint

FIXED = struct.Struct(">hhih")


class RequestHeader(NamedTuple):
    """What precedes a request; `end` is the position of its body, or of the tagged fields in version 2."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    end: int


def parse_request_header(frame: memoryview) -> RequestHeader:
    """Read the part that header versions 1 and 2 share. Raises struct.error or ValueError on malformed bytes."""
    api_key, api_version, correlation_id, client_id_bytes = FIXED.unpack_from(frame)
    if client_id_bytes < 0:
        return RequestHeader(api_key, api_version, correlation_id, None, FIXED.size)
    end = FIXED.size + client_id_bytes
    if end > len(frame):
        raise ValueError(f"client_id of {client_id_bytes} bytes does not fit a frame of {len(frame)} bytes")
    return RequestHeader(api_key, api_version, correlation_id, str(frame[FIXED.size : end], "utf-8"), end)


def skip_tagged_fields(frame: memoryview, position: int) -> int:
    """Position after the tagged fields at `position`. Raises IndexError or ValueError on malformed bytes."""
    count, position = read_unsigned_varint(frame, position)
    for _ in range(count):
        _, position = read_unsigned_varint(frame, position)
        size, position = read_unsigned_varint(frame, position)
        position += size
        if position > len(frame):
            raise ValueError(f"a tagged field of {size} bytes does not fit a frame of {len(frame)} bytes")
    return position
