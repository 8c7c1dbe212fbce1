import struct
import tracemalloc
from itertools import cycle

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


@given(frames=st.lists(st.binary(max_size=50)), cuts=st.lists(st.integers(1, 70), min_size=1))
def test_frames_come_out_whole_wherever_there_is_room(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)
    buffer = FrameBuffer(1000)
    found: list[memoryview] = []
    for cut in cycle(cuts):
        if not stream:
            break
        room = buffer.room()
        size = min(cut, len(room), len(stream))
        room[:size] = stream[:size]
        stream = stream[size:]
        found += buffer.received(size)
    assert found == frames, "also those that came before others"


@pytest.mark.parametrize("length", [-1, 101, 2**31 - 1])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(FrameError, match=str(length)):
        list(FrameBuffer(100).feed(struct.pack(">i", length)))


def test_frames_before_a_bad_length_are_given() -> None:
    frames = FrameBuffer(100).feed(struct.pack(">i1si", 1, b"a", -5))
    assert bytes(next(frames)) == b"a"
    with pytest.raises(FrameError):
        next(frames)


def test_it_says_how_much_it_waits_for() -> None:
    buffer = FrameBuffer(100)
    waited_for = []
    for byte in struct.pack(">i3s", 3, b"abc"):
        waited_for.append((buffer.is_empty, buffer.expected_bytes))
        frames = list(buffer.feed(bytes([byte])))
    assert waited_for == [(True, 0), *[(False, 0)] * 3, *[(False, 3)] * 3]
    assert [bytes(frame) for frame in frames] == [b"abc"]
    assert buffer.is_empty


def test_a_frame_of_single_bytes_takes_no_more_memory_than_its_size() -> None:
    size = 100_000
    buffer = FrameBuffer(size)
    list(buffer.feed(struct.pack(">i", size)))
    tracemalloc.start()
    for _ in range(size - 1):
        list(buffer.feed(b"x"))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < size / 10
