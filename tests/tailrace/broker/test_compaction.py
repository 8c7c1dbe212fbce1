"""Compaction in a running broker: when it is done, what a crash leaves of it, and that nobody has to wait."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tailrace.broker import compaction
from tailrace.broker.append import Append
from tailrace.broker.broker import Broker
from tailrace.broker.compaction import Compaction, dirt_of, must_clean
from tailrace.broker.events import TopicDeleted
from tailrace.broker.log.cleaner import Cleaned, CleaningPlan, clean
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.topics import Topic
from tailrace.wire.record_batch import Record, encode_batch, iter_headers, iter_records
from tests.tailrace.broker.conftest import Scenario, clock_of, create_topic, everything, running

DAY_MS = 24 * 3600 * 1000


def write(broker: Broker, topic: Topic, key: bytes, value: bytes | None) -> None:
    record = Record(0, broker.now_ms(), key, value)
    broker.record([Append(topic, 0, encode_batch([record]))])


def contents(log: PartitionLog) -> list[tuple[int, bytes | None, bytes | None]]:
    data = everything(log)
    batches = (data[position : position + header.size] for position, header in iter_headers(data))
    return [(record.offset, record.key, record.value) for batch in batches for record in iter_records(batch)]


def compacted_topic(broker: Broker, **configs: str) -> Topic:
    return create_topic(broker, segment_bytes="200", cleanup_policy="compact", **configs)


async def write_dirt(broker: Broker, topic: Topic, count: int = 30) -> None:
    for number in range(count):
        write(broker, topic, b"%d" % (number % 3), b"value %d" % number)
    await broker.commit.durable()


def log_files(data: Path, topic: Topic) -> set[str]:
    return {path.name for path in (data / topic.directory / "0").glob("*.log")}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - files have no event
            await asyncio.sleep(0.01)


def test_a_compacted_log_is_short_and_stays_so(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker)
            await write_dirt(broker, topic)
            [log] = topic.partitions
            size, active = log.size, log.active
            await Compaction(broker).clean_all()
            assert log.size < size / 4
            assert log.active is active
            assert len({key for _, key, _ in contents(log)}) == 3
            wanted = contents(log)
            known = {Path(segment.log_name).name for segment in log.segments}
            await until(lambda: log_files(tmp_path, topic) == known)
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            [log] = topic.partitions
            assert contents(log) == wanted
            assert dirt_of(log, broker.now_ms(), 0) is None
            await write_dirt(broker, topic)
            await Compaction(broker).clean_all()
            assert log.size < size / 4
            wanted = contents(log)
            await broker.commit.stop(checkpoint_within_s=10)
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            assert contents(topic.partitions[0]) == wanted

    run(scenario)


def test_a_crash_before_the_checkpoint_leaves_the_old_segments(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker)
            await write_dirt(broker, topic)
            before = contents(topic.partitions[0])
            await Compaction(broker).clean_all()
            after = contents(topic.partitions[0])
            assert len(after) < len(before)
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            [log] = topic.partitions
            assert contents(log) == before
            known = {Path(segment.log_name).name for segment in log.segments}
            assert log_files(tmp_path, topic) > known
            await until(lambda: log_files(tmp_path, topic) == known)
            await Compaction(broker).clean_all()
            assert contents(log) == after

    run(scenario)


def test_clients_read_and_write_on_meanwhile(tmp_path: Path, run: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            loop = asyncio.get_running_loop()
            topic = compacted_topic(broker)
            [log] = topic.partitions
            turns = count()

            async def use() -> None:
                turn = b"%d" % next(turns)
                write(broker, topic, b"meanwhile", turn)
                await broker.commit.durable()
                found = contents(log)
                assert found[-1][1:] == (b"meanwhile", turn)
                assert {key for _, key, _ in found} == {b"0", b"1", b"2", b"meanwhile"}

            def clean_while_in_use(plan: CleaningPlan, pace: Callable[[], None]) -> Cleaned:
                return clean(plan, lambda: asyncio.run_coroutine_threadsafe(use(), loop).result())

            monkeypatch.setattr(compaction, "clean", clean_while_in_use)
            await write_dirt(broker, topic)
            await Compaction(broker).clean_all()
            await use()
            assert 26 <= log.cleaned_until <= 30
            assert next(turns) > 50

    run(scenario)


@pytest.mark.parametrize(
    ("configs", "later_ms", "is_due"),
    [
        ({}, 0, True),
        ({"min_cleanable_dirty_ratio": "1"}, 0, False),
        ({"min_cleanable_dirty_ratio": "1", "max_compaction_lag_ms": "1000"}, 1000, False),
        ({"min_cleanable_dirty_ratio": "1", "max_compaction_lag_ms": "1000"}, 1001, True),
        ({"min_compaction_lag_ms": "1000"}, 999, False),
        ({"min_compaction_lag_ms": "1000"}, 1000, True),
    ],
)
def test_configurations_say_when(
    tmp_path: Path, run: Scenario, configs: dict[str, str], later_ms: int, is_due: bool
) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker, **configs)
            await write_dirt(broker, topic)
            clock_of(broker).now_ms += later_ms
            dirt = dirt_of(topic.partitions[0], broker.now_ms(), topic.min_compaction_lag_ms)
            assert (dirt is not None and must_clean(topic, dirt, broker.now_ms())) == is_due

    run(scenario)


def test_half_dirty_is_not_dirty_enough(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker, min_cleanable_dirty_ratio="0.6")
            for number in range(20):
                write(broker, topic, b"key %02d" % number, b"")
            await broker.commit.durable()
            await Compaction(broker).clean_all()
            [log] = topic.partitions
            clean_until = log.cleaned_until
            for number in range(20):
                write(broker, topic, b"key %02d" % number, b"")
            await broker.commit.durable()
            await Compaction(broker).clean_all()
            assert log.cleaned_until == clean_until
            write(broker, topic, b"much", b"x" * 1000)
            write(broker, topic, b"more", b"")
            await broker.commit.durable()
            await Compaction(broker).clean_all()
            assert log.cleaned_until > clean_until

    run(scenario)


def test_tombstones_go_after_delete_retention(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker, delete_retention_ms=str(DAY_MS), min_cleanable_dirty_ratio="0")
            [log] = topic.partitions

            async def clean_with_more_dirt() -> set[bytes | None]:
                await write_dirt(broker, topic, 3)
                await write_dirt(broker, topic, 3)
                await Compaction(broker).clean_all()
                return {key for _, key, _ in contents(log)}

            write(broker, topic, b"gone", b"value")
            write(broker, topic, b"gone", None)
            assert b"gone" in await clean_with_more_dirt()
            clock_of(broker).now_ms += DAY_MS
            assert b"gone" not in await clean_with_more_dirt()

    run(scenario)


@pytest.mark.parametrize("policy", ["delete", "compact", "compact,delete"])
def test_the_policy_decides(tmp_path: Path, run: Scenario, policy: str) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, segment_bytes="200", cleanup_policy=policy)
            await write_dirt(broker, topic)
            await Compaction(broker).clean_all()
            assert (len(contents(topic.partitions[0])) < 30) == ("compact" in policy)

    run(scenario)


def test_a_failure_leaves_the_log_as_it_is_and_is_not_repeated(
    tmp_path: Path, run: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def fail(plan: CleaningPlan, pace: Callable[[], None]) -> Cleaned:
        attempts.append(plan.directory)
        clean(plan, pace)
        raise OSError("no space left")

    monkeypatch.setattr(compaction, "clean", fail)

    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = compacted_topic(broker)
            await write_dirt(broker, topic)
            before = contents(topic.partitions[0])
            cleaner = Compaction(broker)
            await cleaner.clean_all()
            await cleaner.clean_all()
            assert contents(topic.partitions[0]) == before
            assert len(attempts) == 1

    run(scenario)


@pytest.mark.parametrize("happens", ["deleted", "log start moved"])
def test_what_happens_to_the_topic_meanwhile_counts(
    tmp_path: Path, run: Scenario, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            loop = asyncio.get_running_loop()
            topic = compacted_topic(broker)

            async def interfere() -> None:
                if happens == "deleted":
                    broker.record(events=[TopicDeleted(topic.id)])
                    broker.delete_files(topic)
                else:
                    broker.move_log_start(topic, 0, 20)

            def clean_with_interference(plan: CleaningPlan, pace: Callable[[], None]) -> Cleaned:
                cleaned = clean(plan, pace)
                asyncio.run_coroutine_threadsafe(interfere(), loop).result()
                return cleaned

            monkeypatch.setattr(compaction, "clean", clean_with_interference)
            await write_dirt(broker, topic)
            await Compaction(broker).clean_all()
            if happens == "deleted":
                await until(lambda: not (tmp_path / topic.directory).exists())
            else:
                offsets = [offset for offset, _, _ in contents(topic.partitions[0])]
                assert offsets == list(range(offsets[0], 30))
                assert 18 <= offsets[0] <= 20
                known = {Path(segment.log_name).name for segment in topic.partitions[0].segments}
                await until(lambda: log_files(tmp_path, topic) == known)

    run(scenario)


def test_it_ends_with_the_broker(tmp_path: Path, run: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    paced = asyncio.Event()

    async def scenario() -> None:
        async with running(tmp_path, log_cleaner_backoff_ms=1) as broker:
            loop = asyncio.get_running_loop()
            topic = compacted_topic(broker)

            def clean_forever(plan: CleaningPlan, pace: Callable[[], None]) -> Cleaned:
                loop.call_soon_threadsafe(paced.set)
                while True:
                    pace()

            monkeypatch.setattr(compaction, "clean", clean_forever)
            await write_dirt(broker, topic)
            cleaner = Compaction(broker)
            running_cleaner = asyncio.create_task(cleaner.run())
            await paced.wait()
            running_cleaner.cancel()
            await asyncio.gather(running_cleaner, return_exceptions=True)
            await asyncio.to_thread(cleaner._thread.shutdown, wait=True)

    run(scenario)
