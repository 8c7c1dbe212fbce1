"""Codecs of record batches, as Kafka frames them: gzip, snappy, lz4, zstd.

What comes out is bounded, since who compressed it may be anybody. Snappy is written in the blocks of snappy-java, which
all clients read; raw snappy, which some write, is read too. Lz4 is the frame format with independent blocks (KIP-57).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum

INFLATED_BYTES_MAX = 128 << 20
FIRST_GUESS = 8
GUESS_BYTES_MIN = 1 << 16
XERIAL_HEADER = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
XERIAL_MAGIC_BYTES = 8
XERIAL_BLOCK_BYTES = 32 << 10


class Compression(IntEnum):
    """Codec of a batch's records, in the lowest three bits of its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class CannotDecompress(Exception):
    """Bytes that a codec cannot read, or that would become too many."""


def decompress(codec: int, data: bytes | memoryview, limit: int = INFLATED_BYTES_MAX) -> bytes | memoryview:
    """The bytes behind `data`. Raises CannotDecompress, also when they are more than `limit`."""
    if codec == Compression.NONE:
        return data
    try:
        into = _decompressors()[Compression(codec)]
    except ValueError:
        raise CannotDecompress(f"codec {codec} is not one of {[each.value for each in Compression]}") from None
    guess = min(max(FIRST_GUESS * len(data), GUESS_BYTES_MIN), limit)
    while True:
        buffer = bytearray(guess)
        try:
            return memoryview(buffer)[: into(data, buffer)]
        except Exception as error:
            if guess >= limit:
                raise CannotDecompress(f"{len(data):,} bytes in codec {codec}, limit {limit:,}: {error}") from error
            guess = min(guess * FIRST_GUESS, limit)


def compress(codec: int, data: bytes | memoryview) -> bytes:
    """`data` in a codec that exists."""
    if codec == Compression.NONE:
        return bytes(data)
    import cramjam

    if codec == Compression.GZIP:
        return bytes(cramjam.gzip.compress(data))
    if codec == Compression.ZSTD:
        return bytes(cramjam.zstd.compress(data, 3))
    if codec == Compression.LZ4:
        frame = cramjam.lz4.Compressor(level=9, content_checksum=False, block_linked=False)
        frame.compress(data)
        return bytes(frame.finish())
    blocks = (
        bytes(cramjam.snappy.compress_raw(data[start : start + XERIAL_BLOCK_BYTES]))
        for start in range(0, len(data), XERIAL_BLOCK_BYTES)
    )
    return XERIAL_HEADER + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


def _decompressors() -> dict[Compression, Callable[[bytes | memoryview, bytearray], int]]:
    import cramjam

    return {
        Compression.GZIP: cramjam.gzip.decompress_into,
        Compression.SNAPPY: _unsnap,
        Compression.LZ4: cramjam.lz4.decompress_into,
        Compression.ZSTD: cramjam.zstd.decompress_into,
    }


def _unsnap(data: bytes | memoryview, buffer: bytearray) -> int:
    import cramjam

    into = cramjam.snappy.decompress_raw_into
    if bytes(data[:XERIAL_MAGIC_BYTES]) != XERIAL_HEADER[:XERIAL_MAGIC_BYTES]:
        return int(into(data, buffer))
    position, size = len(XERIAL_HEADER), 0
    while position < len(data):
        (block_bytes,) = struct.unpack_from(">I", data, position)
        position += 4
        if block_bytes > len(data) - position:
            raise ValueError(f"a block of {block_bytes:,} bytes at byte {position:,} of {len(data):,}")
        size += int(into(data[position : position + block_bytes], memoryview(buffer)[size:]))
        position += block_bytes
    return size
