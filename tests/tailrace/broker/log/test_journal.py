from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.disk import Disk
from tailrace.broker.events import OffsetsCommitted, TopicDeleted
from tailrace.broker.log import journal
from tailrace.broker.log.journal import (
    Frame,
    JournalDamaged,
    JournaledBatch,
    JournalFile,
    decode_frames,
    encode_frame,
    read_frames,
)

batches = st.lists(
    st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 99), st.binary(max_size=100)), max_size=3
)
events = st.lists(
    st.builds(TopicDeleted, st.binary(max_size=16))
    | st.builds(OffsetsCommitted, st.text(max_size=5), st.just([("t", 0, 1, 2, "m", 3)])),
    max_size=3,
)

Content = tuple[list[tuple[bytes, int, bytes]], list[TopicDeleted]]


def plain(frame: Frame) -> tuple[object, ...]:
    return frame.number, [(*batch[:2], bytes(batch.data)) for batch in frame.batches], list(frame.events)


@given(st.lists(st.tuples(batches, events), max_size=5), st.integers(0, 2**40))
def test_frames_come_back(
    contents: list[tuple[list[tuple[bytes, int, bytes]], list[TopicDeleted]]], first: int
) -> None:
    frames = [
        Frame(
            first + index,
            [JournaledBatch(topic_id, partition, (data,)) for topic_id, partition, data in some],
            happened,
        )
        for index, (some, happened) in enumerate(contents)
    ]
    data = b"".join(part for frame in frames for part in encode_frame(frame)) + bytes(100)
    assert [plain(frame) for frame, _ in decode_frames(data, first)] == [plain(frame) for frame in frames]


def test_a_frame_of_another_number_ends_the_journal() -> None:
    data = b"".join([*encode_frame(Frame(5, [], [])), *encode_frame(Frame(7, [], []))])
    assert [frame.number for frame, _ in decode_frames(data, 5)] == [5]
    assert list(decode_frames(data, 6)) == []


def test_frames_larger_than_a_read_are_read_whole(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    file = JournalFile(disk, 1)
    sizes = [10, journal.READ_BYTES * 2, 100, journal.READ_BYTES - 50, 3]
    for number, size in enumerate(sizes, 1):
        batch = JournaledBatch(bytes(16), 0, (b"x" * size,))
        file.write(encode_frame(Frame(number, [batch], [])), sync=False)
    stored = disk.open(file.name)
    assert [len(frame.batches[0].data) for frame in read_frames(stored, 1)] == sizes


def test_a_length_that_nothing_backs_ends_the_journal(tmp_path: Path) -> None:
    file = Disk(tmp_path).open("journal")
    file.write((b"\xff" * 100,), 0)
    assert list(read_frames(file, 1)) == []


def test_what_was_left_of_a_file_is_erased_before_it_is_used(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    old = JournalFile(disk, 1)
    old.write([part for number in (1, 2) for part in encode_frame(Frame(number, [], []))], sync=True)
    new = JournalFile(disk, 1)
    new.write(encode_frame(Frame(1, [], [])), sync=True)
    assert [frame.number for frame in read_frames(disk.open(new.name), 1)] == [1]


@pytest.mark.parametrize("first", [1, 2**24 - 2, 2**24 - 1, 2**24, 5 * 2**24 - 1, 2**40])
@pytest.mark.parametrize("broken", [0, 1])
def test_a_broken_frame_that_a_later_one_knows_to_have_been_durable_is_damage(
    tmp_path: Path, first: int, broken: int
) -> None:
    """Wherever its number stands in the bytes, and however many zeros are in between."""
    zeros = [JournaledBatch(bytes(16), 0, (bytes(100_000),))]
    encoded = [b"".join(encode_frame(Frame(first + index, zeros, []), first + index - 1)) for index in range(3)]
    encoded[broken] = encoded[broken][:-1] + b"x"
    file = Disk(tmp_path).open("journal")
    file.write([*encoded, bytes(1000)], 0)
    with pytest.raises(JournalDamaged, match=f"frame {first + broken:,} at byte"):
        list(read_frames(file, first))


@pytest.mark.parametrize("first", [1, 2**24 - 2, 2**24 - 1])
def test_a_broken_frame_that_nobody_knows_to_have_been_durable_ends_the_journal(tmp_path: Path, first: int) -> None:
    encoded = [b"".join(encode_frame(Frame(first + index, [], []), first - 1)) for index in range(3)]
    file = Disk(tmp_path).open("journal")
    file.write([encoded[0], b"x" * len(encoded[1]), encoded[2]], 0)
    assert [frame.number for frame in read_frames(file, first)] == [first]
