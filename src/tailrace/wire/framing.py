"""Frames of the Kafka protocol: a signed 32-bit length, then that many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

LENGTH = struct.Struct(">i")
# Where bytes arrive that belong to no frame yet; they are taken out before anything else can arrive.
_arrivals = memoryview(bytearray(1 << 16))


class FrameError(Exception):
    """The peer announced a frame that must not be read; the connection cannot be used any more."""


class FrameBuffer:
    """Cuts a byte stream into frames.

    A frame that is not complete gets its place at once, and what follows of it is received there; however small the
    pieces are, it takes no more memory than its size.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._length = b""
        self._frame: bytearray | None = None
        self._filled_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing but complete frames was received."""
        return self._frame is None and not self._length

    @property
    def expected_bytes(self) -> int:
        """Length of the frame that is being received, 0 when none is or its length is not known yet."""
        return 0 if self._frame is None else len(self._frame)

    def room(self) -> memoryview:
        """Where the next bytes are to be put, before `received` says how many they are."""
        return _arrivals if self._frame is None else memoryview(self._frame)[self._filled_bytes :]

    def received(self, size: int) -> Iterator[memoryview]:
        """Take what was put into `room`; see `feed`."""
        if self._frame is None:
            yield from self.feed(bytes(_arrivals[:size]))
        else:
            self._filled_bytes += size
            if self._filled_bytes == len(self._frame):
                complete, self._frame = memoryview(self._frame).toreadonly(), None
                yield complete

    def feed(self, chunk: bytes) -> Iterator[memoryview]:
        """Add what was received and give each frame that is complete, without its length.

        Raises FrameError when a length is negative or above `max_frame_bytes`.
        """
        if self._frame is not None:
            missing = len(self._frame) - self._filled_bytes
            self._fill(chunk[:missing])
            if len(chunk) < missing:
                return
            complete, self._frame = memoryview(self._frame).toreadonly(), None
            yield complete
            chunk = chunk[missing:]
        data = memoryview(self._length + chunk if self._length else chunk)
        self._length = b""
        position = 0
        while len(data) - position >= LENGTH.size:
            start = position + LENGTH.size
            position = start + self._frame_bytes(data, position)
            if position > len(data):
                self._frame, self._filled_bytes = bytearray(position - start), 0
                self._fill(data[start:])
                return
            yield data[start:position]
        self._length = bytes(data[position:])

    def _fill(self, content: bytes | memoryview) -> None:
        assert self._frame is not None
        end = self._filled_bytes + len(content)
        self._frame[self._filled_bytes : end] = content
        self._filled_bytes = end

    def _frame_bytes(self, data: memoryview, position: int) -> int:
        frame_bytes: int = LENGTH.unpack_from(data, position)[0]
        if not 0 <= frame_bytes <= self.max_frame_bytes:
            raise FrameError(
                f"a frame of {frame_bytes} bytes was announced, expected 0 to {self.max_frame_bytes}; "
                "the peer may not be speaking the Kafka protocol, or max.request.size is set too high"
            )
        return frame_bytes
