"""ListOffsets and OffsetForLeaderEpoch: offsets by position, by time and by epoch."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import NOW_MS, Wire, batch

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED = -1, -2, -3, -4, -5


def found(wire: Wire, topic: str, timestamp: int, *, version: int = 8) -> tuple[int, int]:
    """Offset and timestamp."""
    answer = wire.list_offset(topic, timestamp, version=version)
    assert answer.error_code is ErrorCode.none, answer
    return answer.offset, answer.timestamp


@pytest.fixture
def topic(wire: Wire) -> str:
    """A batch at offsets 0 to 2 with the newest record in its middle, then a record that is older."""
    topic = wire.topic()
    wire.produce(topic, batch(b"0", b"1", b"2", timestamps=[1000, 9000, 2000]))
    wire.produce(topic, batch(b"3", timestamps=[5000]))
    return topic


@pytest.mark.parametrize("version", range(1, 10))
def test_earliest_and_latest(wire: Wire, topic: str, version: int) -> None:
    assert found(wire, topic, EARLIEST, version=version) == (0, -1)
    assert found(wire, topic, LATEST, version=version) == (4, -1)


@pytest.mark.parametrize(
    ("timestamp", "answer"),
    [
        (0, (0, 1000)),
        (1000, (0, 1000)),
        (1001, (1, 9000)),
        (9000, (1, 9000)),
        (9001, (-1, -1)),
    ],
)
def test_by_time_the_first_record_that_is_not_older_is_found(
    wire: Wire, topic: str, timestamp: int, answer: tuple[int, int]
) -> None:
    assert found(wire, topic, timestamp) == answer


@pytest.mark.parametrize("version", [7, 8, 9])
def test_max_timestamp_is_the_record_not_its_batch(wire: Wire, topic: str, version: int) -> None:
    assert found(wire, topic, MAX_TIMESTAMP, version=version) == (1, 9000)


def test_of_several_newest_records_the_first_counts(wire: Wire) -> None:
    topic = wire.topic()
    wire.produce(topic, batch(b"0", b"1", timestamps=[1000, 9000]))
    wire.produce(topic, batch(b"2", timestamps=[9000]))
    assert found(wire, topic, MAX_TIMESTAMP) == (1, 9000)


def test_an_empty_log_has_no_newest_record(wire: Wire) -> None:
    topic = wire.topic()
    assert found(wire, topic, MAX_TIMESTAMP) == (-1, -1)
    assert found(wire, topic, 0) == (-1, -1)
    assert found(wire, topic, LATEST) == (0, -1)


def test_without_tiers_the_earliest_local_offset_is_the_earliest_and_nothing_is_tiered(wire: Wire, topic: str) -> None:
    assert found(wire, topic, EARLIEST_LOCAL) == (0, -1)
    assert found(wire, topic, LATEST_TIERED, version=9) == (-1, -1)


def test_time_is_searched_across_segments(wire: Wire) -> None:
    topic = wire.topic(segment_bytes=str(1 << 20))
    for number in range(8):
        wire.produce(topic, batch(b"x" * 300_000, timestamps=[NOW_MS + 1000 * number]))
    for number in range(8):
        wanted = number, NOW_MS + 1000 * number
        assert found(wire, topic, wanted[1]) == wanted
        assert found(wire, topic, wanted[1] - 999) == wanted
    assert found(wire, topic, MAX_TIMESTAMP) == (7, NOW_MS + 7000)


def test_deleted_records_are_not_found_by_time(wire: Wire, topic: str) -> None:
    wanted = {"name": topic, "partitions": [{"partition_index": 0, "offset": 2}]}
    wire.ask("delete_records", 2, topics=[wanted], timeout=10_000)
    assert found(wire, topic, EARLIEST) == (2, -1)
    assert found(wire, topic, 0) == (2, 2000)


@pytest.mark.parametrize(("change", "error"), [(0, ErrorCode.none), (1, ErrorCode.unknown_leader_epoch)])
def test_the_leader_epoch_is_compared(wire: Wire, topic: str, change: int, error: ErrorCode) -> None:
    present = wire.describe_topic(topic).partitions[0].leader_epoch
    entry = {"partition_index": 0, "timestamp": LATEST, "current_leader_epoch": present + change}
    fields = {"replica_id": -1, "topics": [{"name": topic, "partitions": [entry]}]}
    answer = wire.ask("list_offsets", 7, **fields).topics[0].partitions[0]
    assert answer.error_code is error
    assert (answer.offset, answer.leader_epoch) == ((4, present) if error is ErrorCode.none else (-1, -1))


def test_an_unknown_partition_is_told(wire: Wire, topic: str) -> None:
    for name, index in ((wire.unique("missing"), 0), (topic, 9)):
        answer = wire.list_offset(name, LATEST, partition=index)
        assert (answer.error_code, answer.offset) == (ErrorCode.unknown_topic_or_partition, -1)


# -- leader epochs -------------------------------------------------------------------------------------------------


def end_of_epoch(wire: Wire, topic: str, epoch: int, partition: int = 0) -> Any:
    entry = {"partition": partition, "current_leader_epoch": -1, "leader_epoch": epoch}
    fields = {"replica_id": -1, "topics": [{"topic": topic, "partitions": [entry]}]}
    return wire.ask("offset_for_leader_epoch", 4, **fields).topics[0].partitions[0]


def test_the_present_epoch_ends_where_the_log_does(wire: Wire, topic: str) -> None:
    present = wire.describe_topic(topic).partitions[0].leader_epoch
    answer = end_of_epoch(wire, topic, present)
    assert (answer.error_code, answer.leader_epoch, answer.end_offset) == (ErrorCode.none, present, 4)


def test_an_epoch_of_the_future_has_no_end(wire: Wire, topic: str) -> None:
    answer = end_of_epoch(wire, topic, 1000)
    assert (answer.error_code, answer.leader_epoch, answer.end_offset) == (ErrorCode.none, -1, -1)


def test_an_unknown_partition_has_no_epochs(wire: Wire, topic: str) -> None:
    assert end_of_epoch(wire, topic, 0, partition=9).error_code is ErrorCode.unknown_topic_or_partition
