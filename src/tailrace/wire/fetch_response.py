"""Fetch responses, encoded by hand.

Every consumer waits in a Fetch that names all its partitions, and each reply tells of all of them: no other response is
sent as often or has as many parts, so this one does not go through `tailrace.wire.encoding`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from tailrace.wire.encoding import Parts
from tailrace.wire.varint import unsigned_varint

FLEXIBLE_SINCE = 12
TOPIC_IDS_SINCE = 13

_COUNT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_ABORTED = struct.Struct(">qq")
_NO_REPLICA = b"\xff\xff\xff\xff"


class FetchedPartition(NamedTuple):
    """What is told of one partition; `aborted`: producer id and first offset of each aborted transaction, or null."""

    partition: int
    error_code: int
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    aborted: Sequence[tuple[int, int]] | None = None
    records: bytes = b""


FetchedTopic = tuple[str | UUID, Sequence[FetchedPartition]]


def encode_fetch_response(version: int, correlation_id: int, topics: Sequence[FetchedTopic]) -> Parts:
    """Encode a response of version 4 to 17 without a session; topics go by id since version 13, by name before."""
    is_flexible = version >= FLEXIBLE_SINCE
    parts: Parts = [b"", _COUNT.pack(correlation_id)]
    # Tags of the header, throttle time; then error code and session id, which are zero here.
    parts.append(b"\0" * ((1 if is_flexible else 0) + 4 + (6 if version >= 7 else 0)))
    if is_flexible:
        _append_flexible(topics, parts)
    else:
        _append_classic(version, topics, parts)
    parts[0] = _COUNT.pack(sum(map(len, parts)))
    return parts


_FLEXIBLE_PARTITION = struct.Struct(">ihqqq")
# No aborted transactions (null), any replica, no records, no tags.
_FLEXIBLE_NOTHING = b"\0" + _NO_REPLICA + b"\x01\0"


def _append_flexible(topics: Sequence[FetchedTopic], parts: Parts) -> None:
    append = parts.append
    append(unsigned_varint(len(topics) + 1))
    for name, partitions in topics:
        if isinstance(name, UUID):
            append(name.bytes)
        else:
            encoded = name.encode()
            append(unsigned_varint(len(encoded) + 1) + encoded)
        append(unsigned_varint(len(partitions) + 1))
        for number, error, high_watermark, stable, start, aborted, records in partitions:
            append(_FLEXIBLE_PARTITION.pack(number, error, high_watermark, stable, start))
            if aborted is None and not records:
                append(_FLEXIBLE_NOTHING)
                continue
            append(b"\0" if aborted is None else unsigned_varint(len(aborted) + 1) + _pairs(aborted, b"\0"))
            append(_NO_REPLICA + unsigned_varint(len(records) + 1))
            append(records)
            append(b"\0")
        append(b"\0")
    append(b"\0")


def _append_classic(version: int, topics: Sequence[FetchedTopic], parts: Parts) -> None:
    partition = struct.Struct(">ihqqq" if version >= 5 else ">ihqq")
    replica = _NO_REPLICA if version >= 11 else b""
    append = parts.append
    append(_COUNT.pack(len(topics)))
    for name, partitions in topics:
        assert isinstance(name, str)
        encoded = name.encode()
        append(_SHORT.pack(len(encoded)) + encoded + _COUNT.pack(len(partitions)))
        for number, error, high_watermark, stable, start, aborted, records in partitions:
            offsets = (high_watermark, stable, start) if version >= 5 else (high_watermark, stable)
            append(partition.pack(number, error, *offsets))
            append(_COUNT.pack(-1) if aborted is None else _COUNT.pack(len(aborted)) + _pairs(aborted, b""))
            append(replica + _COUNT.pack(len(records)))
            append(records)


def _pairs(aborted: Iterable[tuple[int, int]], tags: bytes) -> bytes:
    return b"".join(_ABORTED.pack(*transaction) + tags for transaction in aborted)
