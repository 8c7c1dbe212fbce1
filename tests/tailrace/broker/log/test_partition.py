from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.broker.disk import Disk
from tailrace.broker.log.partition import FoundOffset, PartitionLog
from tailrace.wire.record_batch import Record, encode_batch, iter_headers, iter_records, parse_header, relocate


def append(log: PartitionLog, *timestamps: int, value: bytes = b"v", epoch: int = 0) -> None:
    """Append one batch with a record for each timestamp, and make it durable."""
    records = [Record(offset, timestamp, None, value) for offset, timestamp in enumerate(timestamps)]
    data = relocate(encode_batch(records), log.log_end_offset, epoch)
    segment, position, content = log.append(parse_header(data), (data,))
    segment.file.write(content, position)
    log.advance(log.end())


def offsets(data: bytes) -> list[int]:
    found = []
    for position, header in iter_headers(data):
        found += [record.offset for record in iter_records(data[position : position + header.size])]
    return found


@pytest.fixture
def log(tmp_path: Path) -> PartitionLog:
    return PartitionLog(Disk(tmp_path), "partition")


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3000)), min_size=1, max_size=25),
    segment_bytes=st.integers(100, 20_000),
    max_bytes=st.integers(1, 10_000),
)
def test_reading_on_and_on_gives_every_record_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, int]], segment_bytes: int, max_bytes: int
) -> None:
    log = PartitionLog(Disk(tmp_path_factory.mktemp("log")), "partition")
    log.segment_bytes = segment_bytes
    for count, size in batches:
        append(log, *[1] * count, value=b"x" * size)
    position = 0
    found: list[int] = []
    while position < log.high_watermark:
        got = offsets(log.read(position, log.high_watermark, max_bytes, at_least_one=True))
        assert got, f"nothing at offset {position}"
        found += [offset for offset in got if offset >= position]
        position = got[-1] + 1
    assert found == list(range(log.high_watermark))


def test_reading_stops_at_the_limit(log: PartitionLog) -> None:
    for _ in range(10):
        append(log, 1)
    assert offsets(log.read(3, 7, 1 << 20, at_least_one=True)) == [3, 4, 5, 6]
    assert log.read(7, 7, 1 << 20, at_least_one=True) == b""


def test_a_batch_that_is_too_large_is_given_only_as_the_first_one(log: PartitionLog) -> None:
    append(log, 1, value=b"x" * 9000)
    assert offsets(log.read(0, 1, 100, at_least_one=True)) == [0]
    append(log, 1, value=b"x" * 9000)
    assert log.read(0, 2, 100, at_least_one=False) == b""


def test_a_search_by_time_finds_the_first_record_that_is_not_older(log: PartitionLog) -> None:
    log.segment_bytes = 300
    for timestamps in ((10, 20), (5, 40), (30, 50), (60,)):
        append(log, *timestamps)
    end = log.high_watermark
    wanted = {0: (0, 10), 11: (1, 20), 21: (3, 40), 41: (5, 50), 60: (6, 60)}
    assert {time: log.find_timestamp(time, end) for time in wanted} == {
        time: FoundOffset(*found) for time, found in wanted.items()
    }
    assert log.find_timestamp(61, end) is None
    assert log.find_timestamp(60, end - 1) is None
    assert log.find_max_timestamp(end) == FoundOffset(6, 60)


def test_moving_the_start_drops_whole_segments(log: PartitionLog) -> None:
    log.segment_bytes = 150
    for _ in range(6):
        append(log, 1)
    bases = [segment.base_offset for segment in log.segments]
    dropped = log.move_start(bases[2] + 1)
    assert [segment.base_offset for segment in dropped] == bases[:2]
    assert log.log_start_offset == bases[2] + 1
    assert offsets(log.read(bases[2] + 1, log.high_watermark, 1 << 20, at_least_one=True))


def test_epochs_tell_where_they_end(log: PartitionLog) -> None:
    assert log.end_offset_of_epoch(0) == (0, 0)
    append(log, 1, epoch=1)
    append(log, 1, epoch=1)
    append(log, 1, epoch=4)
    assert log.end_offset_of_epoch(0) == (0, 0)
    assert log.end_offset_of_epoch(1) == (1, 2)
    assert log.end_offset_of_epoch(3) == (1, 2)
    assert log.end_offset_of_epoch(4) == (4, 3)


def test_an_index_that_is_missing_is_made_again(tmp_path: Path) -> None:
    log = PartitionLog(Disk(tmp_path), "partition")
    for _ in range(20):
        append(log, 1, value=b"x" * 1000)
    again = PartitionLog(Disk(tmp_path), "partition", log.snapshot())
    assert again.active.index.at_or_before(19) == log.active.index.at_or_before(19)
    assert offsets(again.read(17, 20, 1 << 20, at_least_one=True))[-3:] == [17, 18, 19]
