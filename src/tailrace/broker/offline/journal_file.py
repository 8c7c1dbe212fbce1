"""The frames of a journal's file with their places."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tailrace.broker.disk import File
from tailrace.broker.log.journal import FRAME_HEADER, Frame, check_rest, decode_frames, written_bytes


class StoredFrame(NamedTuple):
    """A frame from byte `position` to `end`; up to frame `durable` all were known to be durable when it was made."""

    position: int
    end: int
    durable: int
    frame: Frame


def stored_frames(path: Path, first_number: int) -> Iterator[StoredFrame]:
    """The frames of a file, up to the first that is not intact. Raises JournalDamaged when that was durable once."""
    file = File(path, read_only=True)
    data = written_bytes(file)
    position, number = 0, first_number
    for frame, end in decode_frames(data, first_number):
        durable: int = FRAME_HEADER.unpack_from(data, position)[3]
        yield StoredFrame(position, end, durable, frame)
        position, number = end, frame.number + 1
    check_rest(file, position, number)
