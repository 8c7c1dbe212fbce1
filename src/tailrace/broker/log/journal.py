"""The journal: one file to which everything that happens in the broker is appended, so that one fsync covers it all.

A frame holds what belongs together: batches for any number of partitions and events. It is there completely or not at
all, so a transaction's markers, its offsets and its end are one frame, and no state in between can survive a crash.

    frame   = length u32 · crc32c u32 of what follows · number u64 · durable u64 · index length u32 · index · batches
    index   = MessagePack of ([(topic id, partition, bytes), ...], [event, ...])

Frames are numbered without gaps. Reading ends at the first frame that is not intact: space that was never written reads
as zeros, a torn write has the wrong CRC. What was acknowledged before lies in front of it, because frames are written
in order and acknowledged after fsync.

A frame also says up to which number all were durable when it was made. So a frame that is not intact, with one behind
it that knows it to have been durable, is damage and not the rest of a crash.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from crc32c import crc32c

from tailrace.broker.disk import Buffers, Disk, File
from tailrace.broker.events import AnyEvent

FRAME_HEADER = struct.Struct(">IIQQI")
NUMBERS = struct.Struct(">QQ")
CRC_START = 8
RESERVED_BYTES = 64 << 20
READ_BYTES = 1 << 20
ZEROS = bytes(READ_BYTES)
NUMBER_REST_BYTES = 3  # in which the numbers of neighbours differ
PADDING = bytes(64)  # zeros at the end of a frame may have been taken for reserved space

_encode_index = msgspec.msgpack.Encoder().encode
_decode_index = msgspec.msgpack.Decoder(tuple[list[tuple[bytes, int, int]], list[AnyEvent]]).decode


class JournaledBatch(NamedTuple):
    """A batch as it is appended to a partition, with its offset in it."""

    topic_id: bytes
    partition: int
    parts: Buffers

    @property
    def data(self) -> bytes | memoryview:
        """The batch in one piece."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


class Frame(NamedTuple):
    """What happened at once; batches come before events."""

    number: int
    batches: Sequence[JournaledBatch]
    events: Sequence[AnyEvent]


class JournalDamaged(Exception):
    """Frames that were durable once cannot be read any more."""


def encode_frame(frame: Frame, durable: int = 0) -> Buffers:
    """The parts of a frame; `durable` is the number up to which all frames are durable, 0 when nobody knows."""
    places = [(topic_id, partition, sum(map(len, parts))) for topic_id, partition, parts in frame.batches]
    index = _encode_index((places, frame.events))
    start = struct.pack(">QQI", frame.number, durable, len(index)) + index
    crc = crc32c(start)
    content: list[bytes | memoryview] = []
    for batch in frame.batches:
        for part in batch.parts:
            crc = crc32c(part, crc)
            content.append(part)
    body_bytes = len(index) + sum(map(len, content))
    return [struct.pack(">II", body_bytes, crc) + start, *content]


def decode_frames(data: bytes, first_number: int) -> Iterator[tuple[Frame, int]]:
    """The frames from `first_number` on, each with the position after it, up to the first that is not intact."""
    view = memoryview(data)
    position, number = 0, first_number
    while position + FRAME_HEADER.size <= len(view):
        body_bytes, crc, actual_number, _, index_bytes = FRAME_HEADER.unpack_from(view, position)
        start = position + FRAME_HEADER.size
        end = start + body_bytes
        if actual_number != number or end > len(view) or index_bytes > body_bytes:
            return
        if crc32c(view[position + CRC_START : end]) != crc:
            return
        yield _decode_frame(number, view[start:end], index_bytes), end
        position, number = end, number + 1


def read_frames(file: File, first_number: int) -> Iterator[Frame]:
    """The frames of a file, up to the first that is not intact; what was reserved but not written is not read.

    Raises JournalDamaged when that one was durable once.
    """
    position, number = 0, first_number
    file_bytes = file.size()
    read_bytes = READ_BYTES
    while True:
        data = file.read(read_bytes, position)
        used = 0
        for frame, end in decode_frames(data, number):
            yield frame
            used, number = end, number + 1
        position += used
        if used == 0:
            needed = _announced_bytes(data)
            if not read_bytes < needed <= file_bytes - position:
                check_rest(file, position, number)
                return
            read_bytes = needed
        else:
            read_bytes = READ_BYTES


def _announced_bytes(data: bytes) -> int:
    """Bytes of the frame at the start of `data`, as its header says, right or wrong."""
    if len(data) < FRAME_HEADER.size:
        return 0
    body_bytes: int = FRAME_HEADER.unpack_from(data)[0]
    return FRAME_HEADER.size + body_bytes


def _decode_frame(number: int, body: memoryview, index_bytes: int) -> Frame:
    places, events = _decode_index(body[:index_bytes])
    batches = []
    position = index_bytes
    for topic_id, partition, size in places:
        batches.append(JournaledBatch(topic_id, partition, (body[position : position + size],)))
        position += size
    return Frame(number, batches, events)


def check_rest(file: File, position: int, number: int) -> None:
    """See whether a frame behind `position`, where `number` should be, knows that one to have been durable.

    Raises JournalDamaged.
    """
    rest = written_bytes(file, position)
    for found in _later_numbers(number).finditer(rest, CRC_START):
        place = found.start()
        start = place - CRC_START
        later, durable = NUMBERS.unpack(rest[place : place + NUMBERS.size].ljust(NUMBERS.size, b"\0"))
        if later > number and durable >= number and any(decode_frames(rest[start:] + PADDING, later)):
            raise JournalDamaged(
                f"{file.path}: frame {number:,} at byte {position:,} is not intact, although it was durable before "
                f"frame {later:,} was written; the disk has lost data, restore the data directory from a copy"
            )


def _later_numbers(number: int) -> re.Pattern[bytes]:
    """Where there may be the number of a later frame; zeros, of which there may be many, are no such place."""
    same, next_one = (re.escape(_prefix(first)) for first in (number, number + (1 << 8 * NUMBER_REST_BYTES)))
    return re.compile(b"(?=" + same + rb"(?!\0\0\0)|" + next_one + b")", re.DOTALL)


def _prefix(number: int) -> bytes:
    return (number >> 8 * NUMBER_REST_BYTES).to_bytes(8 - NUMBER_REST_BYTES, "big")


def written_bytes(file: File, position: int = 0) -> bytes:
    """What was written from byte `position` on, with fewer than READ_BYTES of the zeros that are reserved behind it."""
    chunks = []
    for start in range(position, file.size(), READ_BYTES):
        chunk = file.read(READ_BYTES, start)
        chunks.append(ZEROS if chunk == ZEROS else chunk)
    while chunks and ZEROS.startswith(chunks[-1]):
        chunks.pop()
    return b"".join(chunks)


class JournalFile:
    """One file of the journal; the first frame's number is its name."""

    def __init__(self, disk: Disk, first_number: int) -> None:
        self.name = f"journal/{first_number:020}"
        self.first_frame = first_number
        self.size = 0
        self._file: File = disk.open(self.name)
        self._file.truncate(0)  # what a crash left of a first write must not be taken for a frame later
        self._file.reserve(RESERVED_BYTES)
        self._file.sync()
        disk.sync_directory(self.name)

    def write(self, frames: Buffers, *, sync: bool) -> None:
        """Append the parts of encoded frames; with `sync` they are durable on return."""
        self._file.write(frames, self.size)
        self.size += sum(map(len, frames))
        if sync:
            self._file.sync()


def journal_files(disk: Disk) -> list[tuple[int, str]]:
    """First frame number and name of each file of the journal, oldest first."""
    return [(int(name), f"journal/{name}") for name in disk.list("journal") if name.isdigit()]
