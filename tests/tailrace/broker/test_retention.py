"""Retention: which segments go, and that they stay gone."""

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.broker.disk import Disk
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.retention import UNLIMITED, enforce_retention, retained_start
from tests.tailrace.broker.conftest import NOW_MS, Scenario, append, clock_of, create_topic, everything, running
from tests.tailrace.broker.log.test_partition import append as append_at

DAY_MS = 24 * 3600 * 1000


@settings(max_examples=200, deadline=None)
@given(
    ages=st.lists(st.integers(0, 100), max_size=12),
    retention_ms=st.just(UNLIMITED) | st.integers(0, 100),
    retention_bytes=st.just(UNLIMITED) | st.integers(0, 1500),
)
def test_only_whole_old_segments_go_and_as_many_as_they_must(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int], retention_ms: int, retention_bytes: int
) -> None:
    partition = PartitionLog(Disk(tmp_path_factory.mktemp("log")), "partition")
    partition.segment_bytes = 200
    for age in ages:
        append_at(partition, 1000 - age, value=b"v" * 30)
    start = retained_start(partition, 1000, retention_ms, retention_bytes)
    bases = [segment.base_offset for segment in partition.segments]
    assert start in {*bases, partition.log_end_offset}
    dropped = [segment for segment in partition.segments if segment.base_offset < start]
    kept = [segment for segment in partition.segments if segment.base_offset >= start and segment.size]
    dropped_bytes = 0
    for segment in dropped:
        is_old = retention_ms != UNLIMITED and segment.max_timestamp < 1000 - retention_ms
        dropped_bytes += segment.size
        assert is_old or partition.size - dropped_bytes >= retention_bytes != UNLIMITED
    if kept:
        assert retention_ms == UNLIMITED or kept[0].max_timestamp >= 1000 - retention_ms
        kept_bytes = partition.size - dropped_bytes
        assert retention_bytes == UNLIMITED or kept_bytes - kept[0].size < retention_bytes


def test_what_is_not_durable_stays(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, retention_ms="1")
            await broker.commit.durable()
            append(broker, topic, b"v")
            clock_of(broker).now_ms += DAY_MS
            enforce_retention(broker)
            assert topic.partitions[0].log_start_offset == 0
            await broker.commit.durable()
            enforce_retention(broker)
            assert topic.partitions[0].log_start_offset == 1

    run(scenario)


def test_an_emptied_log_goes_on_and_survives_a_crash(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, retention_ms=str(DAY_MS))
            append(broker, topic, b"a", b"b")
            await broker.commit.durable()
            clock_of(broker).now_ms = NOW_MS + 2 * DAY_MS
            enforce_retention(broker)
            [partition] = topic.partitions
            assert (partition.log_start_offset, partition.high_watermark, everything(partition)) == (2, 2, b"")
            append(broker, topic, b"c")
            await broker.commit.durable()
            content = everything(partition)
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            [partition] = topic.partitions
            assert (partition.log_start_offset, partition.high_watermark) == (2, 3)
            assert everything(partition) == content

    run(scenario)


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + 60
    while list(directory.glob("*.log")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_of_dropped_segments_are_removed(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, segment_bytes="200", retention_bytes="0")
            for _ in range(10):
                append(broker, topic, b"v" * 100)
            await broker.commit.durable()
            directory = tmp_path / topic.directory / "0"
            assert len(list(directory.glob("*.log"))) == 10
            enforce_retention(broker)
            await asyncio.to_thread(wait_until_gone, directory)

    run(scenario)


def test_files_that_a_crash_kept_from_being_removed_go_after_the_restart(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, segment_bytes="200", retention_bytes="0")
            for _ in range(10):
                append(broker, topic, b"v" * 100)
            broker.commit.remove_later(["nothing"])
            await broker.commit.durable()
            directory = tmp_path / topic.directory / "0"
        kept = {path.name: path.read_bytes() for path in directory.iterdir()}
        async with running(tmp_path) as broker:
            enforce_retention(broker)
            await broker.commit.durable()
        for name, content in kept.items():
            (directory / name).write_bytes(content)
        async with running(tmp_path) as broker:
            await asyncio.to_thread(wait_until_gone, directory)
            append(broker, next(iter(broker.state.topics)), b"goes on")
            await broker.commit.durable()
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            assert (topic.partitions[0].log_start_offset, topic.partitions[0].high_watermark) == (10, 11)

    run(scenario)


@pytest.mark.parametrize("policy", ["compact", "delete", "compact,delete"])
def test_the_policy_decides(tmp_path: Path, run: Scenario, policy: str) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, retention_ms="1", cleanup_policy=policy)
            append(broker, topic, b"v")
            await broker.commit.durable()
            clock_of(broker).now_ms += DAY_MS
            enforce_retention(broker)
            assert topic.partitions[0].log_start_offset == (1 if "delete" in policy else 0)

    run(scenario)
