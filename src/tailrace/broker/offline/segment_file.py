"""The batches of a segment's file and the entries of its index, read one after the other."""

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tailrace.broker.disk import File
from tailrace.broker.log.index import ENTRY_FIELDS
from tailrace.wire.record_batch import HEADER_BYTES, BatchHeader, is_intact, parse_header

BATCH_BYTES_MAX = 1 << 30
ENTRY_BYTES = 8 * ENTRY_FIELDS


class StoredBatch(NamedTuple):
    """A batch at byte `position` of a file."""

    position: int
    header: BatchHeader
    data: bytes


class NotIntact(NamedTuple):
    """There is no intact batch at byte `position`, so that nothing behind it can be found."""

    position: int
    why: str


class IndexEntry(NamedTuple):
    """An entry of an index; the timestamp is the greatest of all batches before."""

    offset: int
    position: int
    max_timestamp_before: int


def read_batches(file: File, end: int) -> Iterator[StoredBatch | NotIntact]:
    """The batches up to byte `end`; the last one is a NotIntact when they do not reach that far."""
    position = 0
    while position < end:
        batch = _read_batch(file, position, end)
        yield batch
        if isinstance(batch, NotIntact):
            return
        position += batch.header.size


def _read_batch(file: File, position: int, end: int) -> StoredBatch | NotIntact:
    head = file.read(HEADER_BYTES, position)
    if len(head) < HEADER_BYTES or end - position < HEADER_BYTES:
        return NotIntact(position, f"{end - position:,} bytes are too few for a batch")
    header = parse_header(head)
    if not HEADER_BYTES <= header.size <= end - position:
        return NotIntact(
            position, f"a batch of {header.size:,} bytes does not fit the {end - position:,} that are left"
        )
    data = file.read(header.size, position)
    if not is_intact(data, 0):
        return NotIntact(position, f"a batch of {header.size:,} bytes has a wrong CRC, or magic {header.magic}, not 2")
    return StoredBatch(position, header, data)


def read_index(path: Path) -> list[IndexEntry]:
    """The complete entries of an index file; an unfinished one at the end is left out. Raises OSError."""
    stored = path.read_bytes()
    numbers = array("q", stored[: len(stored) // ENTRY_BYTES * ENTRY_BYTES])
    if sys.byteorder == "little":
        numbers.byteswap()
    rows = zip(*(numbers[column::ENTRY_FIELDS] for column in range(ENTRY_FIELDS)), strict=True)
    return [IndexEntry(*row) for row in rows]
