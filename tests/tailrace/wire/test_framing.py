import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.framing import FrameBuffer, FrameError


@given(frames=st.lists(st.binary(max_size=50)), cuts=st.lists(st.integers(1, 20)))
def test_frames_come_out_whole_however_they_arrive(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)
    buffer = FrameBuffer(1000)
    found: list[bytes] = []
    position = 0
    for cut in [*cuts, len(stream) + 1]:
        found += (bytes(frame) for frame in buffer.feed(stream[position : position + cut]))
        position += cut
    assert found == frames


@pytest.mark.parametrize("length", [-1, 101, 2**31 - 1])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(FrameError, match=str(length)):
        list(FrameBuffer(100).feed(struct.pack(">i", length)))


def test_frames_before_a_bad_length_are_given() -> None:
    frames = FrameBuffer(100).feed(struct.pack(">i1si", 1, b"a", -5))
    assert bytes(next(frames)) == b"a"
    with pytest.raises(FrameError):
        next(frames)
