"""A data directory with a checkpoint, segments, indexes, and a journal behind it; and recovery from damaged ones."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.disk import Disk
from tailrace.broker.events import OffsetsCommitted
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.recovery import JournalGap, recover
from tailrace.wire.record_batch import CorruptBatch

from ..conftest import append, create_topic, running

REFUSES_TO_RECOVER = (CorruptCheckpoint, CorruptSegment, JournalDamaged, JournalGap)
KINDS = ("journal/", "checkpoint", ".log", ".index")
Files = Mapping[str, bytes]


@cache
def intact_files() -> Files:
    """The files of a broker that was stopped once and then killed."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        asyncio.run(_write_history(root))
        return {
            str(path.relative_to(root)): path.read_bytes().rstrip(b"\0")
            if "journal" in str(path)
            else path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }


async def _write_history(root: Path) -> None:
    async with running(root) as broker:
        topic = create_topic(broker, partitions=2)
        for number in range(20):
            append(broker, topic, b"x" * 1000, producer=(7, 0), sequence=number)
        append(broker, topic, b"open", partition=1, producer=(8, 0), sequence=0, transactional=True)
        broker.record(events=[OffsetsCommitted("group", [("topic", 0, 1, 0, "", 5)])])
        await broker.commit.stop(10)
    async with running(root) as broker:
        found = broker.state.topics.by_name("topic")
        assert found is not None
        append(broker, found, b"more", producer=(7, 0), sequence=20)
        append(broker, found, b"of it", partition=1)
        await broker.commit.durable()


def recover_from(files: Files) -> bool:
    """Recover, or be refused with a reason, and read everything there is; whether it was recovered."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        try:
            state = recover(Disk(root))
        except REFUSES_TO_RECOVER:
            return False
        for topic in state.topics:
            for partition in topic.partitions:
                _read(partition)
                partition.close()
        state.checkpoint()
        return True


def _read(partition: PartitionLog) -> None:
    limit = partition.high_watermark
    for offset in (partition.log_start_offset, limit // 2, limit - 1):
        try:
            partition.read(offset, limit, 10_000, at_least_one=True)
            partition.find_timestamp(0, limit)
            partition.find_max_timestamp(limit)
        except (CorruptBatch, CorruptSegment):
            continue
