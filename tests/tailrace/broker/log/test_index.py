from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.log.index import Place, SegmentIndex

batches = st.lists(st.tuples(st.integers(1, 5), st.integers(61, 9000), st.integers(0, 1000)), max_size=40)


def build(sizes: list[tuple[int, int, int]]) -> tuple[SegmentIndex, list[Place], list[int], int]:
    """An index over batches of (records, bytes, timestamp), with the places and timestamps of all of them."""
    index = SegmentIndex(100)
    places: list[Place] = []
    timestamps: list[int] = []
    offset, position = 100, 0
    for records, size, timestamp in sizes:
        index.append(offset, position, max(timestamps, default=-1))
        places.append(Place(offset, position))
        timestamps.append(timestamp)
        offset, position = offset + records, position + size
    return index, places, timestamps, position


@given(batches, st.integers(0, 400))
def test_an_offset_is_found_at_or_after_its_entry_and_near_it(sizes: list[tuple[int, int, int]], wanted: int) -> None:
    index, places, _, _ = build(sizes)
    found = index.at_or_before(wanted)
    assert found in [Place(100, 0), *places]
    before = [place for place in places if place.offset <= wanted]
    if before:
        assert found <= before[-1]
        assert before[-1].position - found.position < index.interval_bytes


@given(batches, st.integers(0, 1100))
def test_nothing_older_is_left_out_when_searching_by_time(sizes: list[tuple[int, int, int]], wanted: int) -> None:
    index, places, timestamps, _ = build(sizes)
    found = index.before_timestamp(wanted)
    assert all(timestamp < wanted for place, timestamp in zip(places, timestamps, strict=True) if place < found)


@given(batches, st.integers(0, 100_000))
def test_boundaries_surround_a_position(sizes: list[tuple[int, int, int]], position: int) -> None:
    index, places, _, _ = build(sizes)
    before, after = index.boundary_before(position), index.boundary_after(position)
    assert before.position <= position
    assert after is None or (after.position > position and after in places)


@given(batches, st.data())
def test_an_index_is_stored_and_loaded(sizes: list[tuple[int, int, int]], data: st.DataObject) -> None:
    index, _, _, size = build(sizes)
    stored, position = index.take_unstored()
    assert position == 0
    assert index.take_unstored() == (b"", len(stored))
    loaded = SegmentIndex(100)
    assert loaded.load(stored, size)
    for offset in range(100, 300, 7):
        assert loaded.at_or_before(offset) == index.at_or_before(offset)
    assert loaded.take_unstored()[0] == b""


def test_an_index_that_cannot_be_right_is_not_taken() -> None:
    good, _ = build([(1, 5000, 1)] * 5)[0].take_unstored()
    swapped = good[24:48] + good[:24] + good[48:]
    assert SegmentIndex(100).load(good, 25_000)
    assert not SegmentIndex(100).load(swapped, 25_000)


def test_entries_beyond_the_segment_are_dropped() -> None:
    stored, _ = build([(1, 5000, 1)] * 5)[0].take_unstored()
    index = SegmentIndex(100)
    assert index.load(stored, 10_000)
    assert index.at_or_before(1000) == Place(101, 5000)
