"""One segment of a partition's log: batches in Kafka's format, one after the other, in a file named by base offset.

Appending only decides where the bytes go; they are written by the group commit, which knows when they are durable.
Compaction writes a segment anew as the next generation, in a file of its own, so that the old one stays whole for as
long as a checkpoint speaks of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.broker.disk import Disk, File
from tailrace.broker.log.index import Place, SegmentIndex
from tailrace.wire.record_batch import HEADER_BYTES, BatchHeader, parse_header

SCAN_BYTES = 1 << 16


class CorruptSegment(Exception):
    """A segment is not what the checkpoint says."""


class Segment:
    """A file of batches with its index."""

    def __init__(self, disk: Disk, directory: str, base_offset: int, generation: int = 0) -> None:
        self.base_offset = base_offset
        self.generation = generation
        self.size = 0
        self.first_timestamp = -1
        self.max_timestamp = -1
        self.index = SegmentIndex(base_offset)
        self._disk = disk
        self._name = f"{directory}/{base_offset:020}" + (f".{generation}" if generation else "")
        self._file: File | None = None
        self._has_durable_name = False

    @property
    def log_name(self) -> str:
        """Name of the file with the batches."""
        return self._name + ".log"

    @property
    def index_name(self) -> str:
        """Name of the file with the index."""
        return self._name + ".index"

    @property
    def file(self) -> File:
        """The file with the batches, opened when it is needed; that two threads may do so at once is no harm."""
        file = self._file
        if file is None:
            file = self._file = self._disk.open(self.log_name)
        return file

    def append(self, header: BatchHeader, base_offset: int) -> int:
        """Reserve the place of a batch; gives the position where its bytes have to be written."""
        position = self.size
        if position == 0:
            self.first_timestamp = header.max_timestamp
        self.index.append(base_offset, position, self.max_timestamp)
        self.size += header.size
        self.max_timestamp = max(self.max_timestamp, header.max_timestamp)
        return position

    def headers(self, start: int, end: int) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of each batch from byte `start`, a batch boundary, up to byte `end`.

        Raises CorruptSegment when there is none.
        """
        position = start
        chunk, chunk_start = b"", start
        while position + HEADER_BYTES <= end:
            if position + HEADER_BYTES > chunk_start + len(chunk):
                chunk, chunk_start = self.file.read(min(SCAN_BYTES, end - position), position), position
            header = parse_header(chunk, position - chunk_start)
            if not HEADER_BYTES <= header.size <= end - position:
                raise CorruptSegment(
                    f"{self.file.path}: a batch of {header.size:,} bytes at byte {position:,}, expected {HEADER_BYTES} "
                    f"to {end - position:,}; the disk has lost data, restore the data directory from a copy"
                )
            yield position, header
            position += header.size

    def place_of(self, offset: int, end: int) -> Place:
        """The batch that contains `offset`, or the next one; `end` when all before byte `end` lie in front of it."""
        place = self.index.at_or_before(offset)
        if place.offset == offset:
            return place
        for position, header in self.headers(place.position, end):
            if header.last_offset >= offset:
                return Place(header.base_offset, position)
        return Place(offset, end)

    def load(self, size: int) -> None:
        """Take over what is on disk up to byte `size`, with its index file or one made from the batches.

        Raises CorruptSegment when the file is shorter.
        """
        if self.file.size() < size:
            raise CorruptSegment(
                f"{self.file.path} has {self.file.size():,} bytes, expected at least the {size:,} of the checkpoint; "
                "restore the data directory from a copy"
            )
        stored = self._disk.read(self.index_name) or b""
        if not self.index.load(stored, size) or (not stored and size > self.index.interval_bytes):
            self.rebuild_index(size)
        self.size = size
        self.file.truncate(size)

    def rebuild_index(self, size: int) -> None:
        """Make the index anew from the batches up to byte `size`."""
        self.index = SegmentIndex(self.base_offset)
        max_timestamp = -1
        for position, header in self.headers(0, size):
            self.index.append(header.base_offset, position, max_timestamp)
            max_timestamp = max(max_timestamp, header.max_timestamp)

    def sync(self, unstored_index: tuple[bytes, int]) -> None:
        """Make batches and index durable; `unstored_index` comes from `SegmentIndex.take_unstored`."""
        self.file.sync()
        entries, position = unstored_index
        if entries:
            index_file = self._disk.open(self.index_name)
            index_file.truncate(position)
            index_file.write((entries,), position)
            index_file.sync()
        if not self._has_durable_name:
            self._disk.sync_directory(self.log_name)
            self._has_durable_name = True

    def close(self) -> None:
        """Close the file when nobody is reading or writing it any more; a later read opens it again."""
        self._file = None
