"""Leader epochs of the embedded broker: another begins when records that were read may be gone (KIP-101, KIP-320)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode

from tailrace.testing.broker import BrokerProcess

from .conftest import Wire, fetch_fields
from .test_list_offsets import end_of_epoch


@pytest.fixture
def crashed(tmp_path: Path, unique: Callable[[str], str]) -> Iterator[tuple[Wire, str]]:
    """A broker that does not fsync, killed when it had two records and started again; a connection and the topic."""
    with BrokerProcess(tmp_path, options=["--flush", "kafka"]) as process:
        before = Wire(process, unique)
        topic = before.topic()
        for value in (b"0", b"1"):
            before.append(topic, value)
        before.close()
        process.kill()
        process.start()
        after = Wire(process, unique)
        yield after, topic
        after.close()


def test_a_crash_without_fsync_begins_another_epoch_and_readers_of_the_old_one_are_fenced(
    crashed: tuple[Wire, str],
) -> None:
    wire, topic = crashed
    assert wire.describe_topic(topic).partitions[0].leader_epoch == 1
    entry = {"partition_index": 0, "timestamp": -1, "current_leader_epoch": 0}
    listed = wire.ask("list_offsets", 7, replica_id=-1, topics=[{"name": topic, "partitions": [entry]}])
    assert listed.topics[0].partitions[0].error_code is ErrorCode.fenced_leader_epoch
    fields = fetch_fields({(topic, 0): 0})
    fields["topics"][0]["partitions"][0]["current_leader_epoch"] = 0
    fetched = wire.ask("fetch", 11, **fields)
    assert fetched.responses[0].partitions[0].error_code is ErrorCode.fenced_leader_epoch


def test_the_old_epoch_ends_where_the_new_one_begins(crashed: tuple[Wire, str]) -> None:
    wire, topic = crashed
    ends = [end_of_epoch(wire, topic, epoch) for epoch in (0, 1)]
    assert [(end.leader_epoch, end.end_offset) for end in ends] == [(0, 2), (1, 2)]
    wire.append(topic, b"2")
    ends = [end_of_epoch(wire, topic, epoch) for epoch in (0, 1)]
    assert [(end.leader_epoch, end.end_offset) for end in ends] == [(0, 2), (1, 3)]


def test_an_epoch_before_the_first_record_ends_where_the_log_begins(crashed: tuple[Wire, str]) -> None:
    wire, _ = crashed
    topic = wire.topic()
    ends = [end_of_epoch(wire, topic, 0)]
    wire.append(topic, b"v")
    ends.append(end_of_epoch(wire, topic, 0))
    assert [(end.leader_epoch, end.end_offset) for end in ends] == [(0, 0), (0, 0)]
