"""Codecs: what we write others read, what others write we read, and nothing becomes larger than allowed."""

import gzip
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import codec as theirs
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.compression import CannotDecompress, Compression, compress, decompress

CODECS = [Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.ZSTD]
CONTENT = b"the same again and again " * 10_000


@given(st.sampled_from(Compression), st.binary(max_size=5000), st.integers(1, 50))
def test_what_was_compressed_comes_back(codec: Compression, content: bytes, times: int) -> None:
    assert bytes(decompress(codec, compress(codec, content * times))) == content * times


@pytest.mark.parametrize(
    ("codec", "read"),
    [
        (Compression.GZIP, gzip.decompress),
        (Compression.SNAPPY, theirs.snappy_decode),
        (Compression.LZ4, theirs.lz4_decode),
        (Compression.ZSTD, theirs.zstd_decode),
    ],
)
def test_another_client_reads_it(codec: Compression, read: Any) -> None:
    assert bytes(read(compress(codec, CONTENT))) == CONTENT


@pytest.mark.parametrize(
    ("codec", "written"),
    [
        (Compression.GZIP, gzip.compress(CONTENT)),
        (Compression.SNAPPY, theirs.snappy_encode(CONTENT, xerial_compatible=True)),
        (Compression.SNAPPY, theirs.snappy_encode(CONTENT, xerial_compatible=False)),
        (Compression.LZ4, theirs.lz4_encode(CONTENT)),
        (Compression.ZSTD, theirs.zstd_encode(CONTENT)),
    ],
)
def test_what_another_client_writes_is_read(codec: Compression, written: bytes) -> None:
    assert bytes(decompress(codec, bytes(written))) == CONTENT


def test_lz4_blocks_do_not_depend_on_each_other() -> None:
    """Kafka reads no others (KIP-57)."""
    independent_blocks = 0x20
    assert compress(Compression.LZ4, CONTENT)[4] & independent_blocks


@pytest.mark.parametrize("codec", CODECS)
def test_more_than_the_limit_is_refused(codec: Compression) -> None:
    small = compress(codec, bytes(1_000_000))
    assert len(decompress(codec, small, limit=1_000_000)) == 1_000_000
    with pytest.raises(CannotDecompress, match="limit 999,999"):
        decompress(codec, small, limit=999_999)


@given(st.sampled_from(CODECS), st.binary(max_size=200))
def test_bytes_that_are_no_compressed_ones_are_refused(codec: Compression, content: bytes) -> None:
    with suppress(CannotDecompress):
        assert len(decompress(codec, content, limit=1 << 17)) <= 1 << 17


@given(st.sampled_from(CODECS), st.data())
def test_damaged_bytes_are_refused_or_give_something(codec: Compression, data: st.DataObject) -> None:
    whole = bytearray(compress(codec, CONTENT[:1000]))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(CannotDecompress):
        assert len(decompress(codec, bytes(whole), limit=1 << 17)) <= 1 << 17
