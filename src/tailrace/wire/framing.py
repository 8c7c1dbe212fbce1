"""Frames of the Kafka protocol: a signed 32-bit length, then that many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

LENGTH = struct.Struct(">i")


class FrameError(Exception):
    """The peer announced a frame that must not be read; the connection cannot be used any more."""


class FrameBuffer:
    """Cuts a byte stream into frames.

    A frame that arrives in many chunks is collected in a list and joined once, so that a large request costs one copy.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0
        self._needed_bytes = LENGTH.size

    def feed(self, chunk: bytes) -> Iterator[memoryview]:
        """Add what was received and give each frame that is complete, without its length.

        Raises FrameError when a length is negative or above `max_frame_bytes`.
        """
        self._chunks.append(chunk)
        self._buffered_bytes += len(chunk)
        if self._buffered_bytes < self._needed_bytes:
            return
        data = memoryview(chunk if len(self._chunks) == 1 else b"".join(self._chunks))
        position = 0
        while True:
            frame_bytes = self._frame_bytes(data, position)
            end = position + LENGTH.size + frame_bytes
            if end > len(data) or len(data) - position < LENGTH.size:
                break
            yield data[position + LENGTH.size : end]
            position = end
        rest = bytes(data[position:])
        self._chunks = [rest] if rest else []
        self._buffered_bytes = len(rest)
        self._needed_bytes = LENGTH.size + frame_bytes

    def _frame_bytes(self, data: memoryview, position: int) -> int:
        """Length of the frame that starts at `position`, 0 when the length itself is not complete yet."""
        if len(data) - position < LENGTH.size:
            return 0
        frame_bytes: int = LENGTH.unpack_from(data, position)[0]
        if not 0 <= frame_bytes <= self.max_frame_bytes:
            raise FrameError(
                f"a frame of {frame_bytes} bytes was announced, expected 0 to {self.max_frame_bytes}; "
                "the peer may not be speaking the Kafka protocol, or max.request.size is set too high"
            )
        return frame_bytes
