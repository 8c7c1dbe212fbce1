"""Data directories of a broker with several of everything: stopped in order, or crashed."""

import asyncio
from pathlib import Path

import pytest

from tailrace.broker.append import Append
from tailrace.broker.broker import Broker
from tailrace.broker.compaction import Compaction
from tailrace.broker.events import OffsetsCommitted, TopicDeleted
from tailrace.broker.transactions.coordinator import NOBODY, ProducerIdentity
from tailrace.wire.record_batch import Record, encode_batch

from ..conftest import NOW_MS, append, create_topic, running


def fill(broker: Broker, round_number: int, *, in_order: bool = True) -> None:
    """Topics with full segments, transactions, deletions and offsets."""
    names = [f"{name}-{round_number}" for name in ("orders", "sums", "gone")]
    orders, sums, gone = (
        create_topic(broker, names[0], 2, segment_bytes="20000"),
        *(create_topic(broker, name) for name in names[1:]),
    )
    for number in range(100):
        append(broker, orders, b"o" * 600, b"p" * number, partition=number % 2)
    append(broker, gone, b"x")
    producer = broker.transactions.initialize(f"id-{round_number}", 60_000, NOBODY)
    assert isinstance(producer, ProducerIdentity)
    for committed in (True, False):
        broker.transactions.add_partitions(f"id-{round_number}", producer, [(sums.id, 0)])
        append(broker, sums, b"s", producer=producer, sequence=1 - committed, transactional=True)
        broker.transactions.end(f"id-{round_number}", producer, committed=committed)
    broker.move_log_start(orders, 1, 20)
    broker.record(events=[OffsetsCommitted("group", [(orders.name, 0, 7, 0, "", 5)]), TopicDeleted(gone.id)])
    if in_order:
        broker.delete_files(gone)


async def _write(root: Path, *, crash: bool) -> None:
    async with running(root) as broker:
        fill(broker, 1)
        await broker.commit.durable()
        await broker.commit.stop(10)
    async with running(root) as broker:
        fill(broker, 2, in_order=not crash)
        await broker.commit.durable()
        fill(broker, 3, in_order=not crash)
        await broker.commit.durable()
        if not crash:
            await broker.commit.stop(10)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Everything is in the checkpoint."""
    asyncio.run(_write(tmp_path, crash=False))
    return tmp_path


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The first round is in the checkpoint, the others are in the journal."""
    asyncio.run(_write(tmp_path, crash=True))
    return tmp_path


@pytest.fixture
def compacted(tmp_path: Path) -> Path:
    """A log with gaps."""

    async def write() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, cleanup_policy="compact", segment_bytes="500", min_cleanable_dirty_ratio="0")
            for number in range(40):
                record = Record(0, NOW_MS, b"k%d" % (number % 7), b"v" * 100)
                broker.record([Append(topic, 0, encode_batch([record]))])
            await broker.commit.durable()
            await Compaction(broker).clean_all()
            assert topic.partitions[0].cleaned_until
            await broker.commit.stop(10)

    asyncio.run(write())
    return tmp_path
