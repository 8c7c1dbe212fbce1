"""What a crash leaves: every acknowledged frame, and nothing half."""

import asyncio
import shutil
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from tailrace.broker import checkpoint as checkpoints
from tailrace.broker.broker import Broker
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.config import BrokerConfig
from tailrace.broker.disk import Disk
from tailrace.broker.events import OffsetsCommitted, TopicDeleted
from tailrace.broker.group_commit import GroupCommit
from tailrace.broker.log import journal
from tailrace.broker.log.journal import JournalDamaged, journal_files
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.process import FILES_BEHIND_MAX
from tailrace.broker.recovery import JournalGap, recover
from tailrace.directory_lock import DirectoryInUse
from tailrace.testing.broker import BrokerProcess

from .conftest import append, create_topic, everything, fail, running
from .durability.simulated_disk import SimulatedDisk


def recovered(data: Path) -> bytes:
    """The whole state, encoded, as it is after a restart."""
    return msgspec.msgpack.encode(recover(Disk(data)).checkpoint())


def write_history(data: Path) -> tuple[list[bytes], list[int]]:
    """A short history; gives the state after each frame and the journal's size then."""
    states: list[bytes] = []
    sizes: list[int] = []

    async def scenario() -> None:
        async with running(data) as broker:

            async def remember() -> None:
                await broker.commit.durable()
                states.append(msgspec.msgpack.encode(broker.state.checkpoint()))
                sizes.append(broker.commit._journal.size)

            await remember()
            topic = create_topic(broker, partitions=2)
            await remember()
            append(broker, topic, b"one")
            await remember()
            append(broker, topic, b"two", b"three", partition=1, producer=(7, 0), sequence=0)
            await remember()
            broker.record(events=[OffsetsCommitted("group", [("topic", 0, 1, 0, "", 5)])])
            await remember()
            append(broker, topic, b"four", producer=(7, 0), sequence=0)
            await remember()

    asyncio.run(scenario())
    return states, sizes


def test_a_frame_damaged_at_any_byte_is_noticed_when_it_was_durable(tmp_path: Path) -> None:
    states, sizes = write_history(tmp_path / "original")
    [(_, name)] = journal_files(Disk(tmp_path / "original"))
    journal = (tmp_path / "original" / name).read_bytes()
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "original", copy)
    for position in range(sizes[-1]):
        flipped = bytes([journal[position] ^ 0x10])
        (copy / name).write_bytes(journal[:position] + flipped + journal[position + 1 : sizes[-1] + 100])
        if position < sizes[-2]:
            with pytest.raises(JournalDamaged, match="restore the data directory"):
                recover(Disk(copy))
        else:
            assert recovered(copy) == states[-2], f"the last frame may be the rest of a crash, byte {position}"


@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_a_journal_damaged_at_any_byte_gives_the_frames_before(tmp_path: Path, damage: str) -> None:
    states, sizes = write_history(tmp_path / "original")
    [(_, name)] = journal_files(Disk(tmp_path / "original"))
    journal = (tmp_path / "original" / name).read_bytes()[: sizes[-1]]
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "original", copy)
    for position in range(len(journal)):
        if damage == "cut":
            damaged = journal[:position]
        else:
            damaged = journal[:position] + bytes(len(journal) - position)
        (copy / name).write_bytes(damaged)
        intact = sum(damaged[:size] == journal[:size] for size in sizes) - 1
        assert recovered(copy) == states[intact], f"{damage} at byte {position}"


def test_records_are_served_after_a_crash(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            for number in range(50):
                append(broker, topic, b"%d" % number)
            await broker.commit.durable()
            return everything(topic.partitions[0])

    before = asyncio.run(scenario())
    for topic in recover(Disk(tmp_path)).topics:
        assert everything(topic.partitions[0]) == before


def test_what_is_not_durable_is_not_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"value")
            log = topic.partitions[0]
            assert (log.log_end_offset, log.high_watermark) == (1, 0)
            assert everything(log) == b""
            await broker.commit.durable()
            assert log.high_watermark == 1

    asyncio.run(scenario())


def test_a_checkpoint_replaces_the_journal(tmp_path: Path) -> None:
    async def scenario() -> tuple[bytes, bytes]:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, segment_bytes="200")
            for number in range(20):
                append(broker, topic, b"%d" % number, producer=(7, 0), sequence=number)
            await broker.commit.stop(checkpoint_within_s=10)
            return msgspec.msgpack.encode(broker.state.checkpoint()), everything(topic.partitions[0])

    state, _ = asyncio.run(scenario())
    assert [first for first, _ in journal_files(Disk(tmp_path))] == [22]
    assert checkpoints.load(Disk(tmp_path)) == msgspec.msgpack.decode(state, type=checkpoints.Checkpoint)
    assert recovered(tmp_path) == state


def test_frames_after_a_checkpoint_are_applied_to_it(tmp_path: Path) -> None:
    async def scenario(*values: bytes) -> None:
        async with running(tmp_path) as broker:
            topic = broker.state.topics.by_name("topic") or create_topic(broker)
            for value in values:
                append(broker, topic, value)
            await broker.commit.durable()
            if b"checkpoint" in values:
                await broker.commit.stop(checkpoint_within_s=10)

    asyncio.run(scenario(b"a", b"checkpoint"))
    asyncio.run(scenario(b"b"))
    asyncio.run(scenario(b"c"))
    [topic] = recover(Disk(tmp_path)).topics
    data = everything(topic.partitions[0])
    assert [data.find(value) > 0 for value in (b"a", b"checkpoint", b"b", b"c")] == [True] * 4
    assert topic.partitions[0].high_watermark == 4


def test_rest_of_an_unfinished_write_in_a_segment_is_cut_off(tmp_path: Path) -> None:
    async def scenario() -> Path:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"kept")
            await broker.commit.stop(checkpoint_within_s=10)
            return topic.partitions[0].active.file.path

    segment = asyncio.run(scenario())
    good = segment.read_bytes()
    segment.write_bytes(good + b"torn")
    recover(Disk(tmp_path))
    assert segment.read_bytes() == good


def test_a_deleted_topic_leaves_no_files(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"value")
            await broker.commit.durable()
            broker.record(events=[TopicDeleted(topic.id)])
            await broker.commit.durable()

    asyncio.run(scenario())
    state = recover(Disk(tmp_path))
    assert list(state.topics) == []
    assert Disk(tmp_path).list("topics") == []


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    owner = Disk(tmp_path)
    owner.lock()
    with pytest.raises(DirectoryInUse, match="in use by another broker"):
        Disk(tmp_path).lock()
    owner.unlock()
    Disk(tmp_path).lock()


def test_damage_that_cannot_come_from_a_crash_is_refused(tmp_path: Path) -> None:
    async def scenario() -> Path:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"value")
            await broker.commit.stop(checkpoint_within_s=10)
            return topic.partitions[0].active.file.path

    segment = asyncio.run(scenario())
    whole, checkpoint = segment.read_bytes(), tmp_path / "checkpoint"
    segment.write_bytes(whole[:-1])
    with pytest.raises(CorruptSegment, match="restore the data directory"):
        recover(Disk(tmp_path))
    segment.write_bytes(whole)
    (tmp_path / "journal" / f"{99:020}").touch()
    with pytest.raises(JournalGap, match="begins with frame 99"):
        recover(Disk(tmp_path))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    with pytest.raises(CorruptCheckpoint):
        recover(Disk(tmp_path))


class AllIsLost(Random):
    """A power failure that leaves nothing but what was made durable."""

    def choice(self, options: Any) -> Any:
        return options[0]

    def random(self) -> float:
        return 1.0


def test_what_was_replayed_is_durable_when_a_checkpoint_speaks_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RESERVED_BYTES", 4096)

    async def write(disk: SimulatedDisk, name: str, *, checkpoint: bool) -> None:
        broker = Broker(BrokerConfig(), disk, recover(disk), fail)
        broker.start()
        append(broker, create_topic(broker, name), b"value")
        await broker.commit.durable()
        if checkpoint:
            await broker.commit.stop(checkpoint_within_s=10)

    disk = SimulatedDisk()
    asyncio.run(write(disk, "replayed", checkpoint=False))
    disk = disk.after_power_failure(AllIsLost())
    asyncio.run(write(disk, "another", checkpoint=True))
    for topic in recover(disk.after_power_failure(AllIsLost())).topics:
        assert b"value" in everything(topic.partitions[0])


async def write_in_a_life(data: Path) -> None:
    """One record, then a crash."""
    async with running(data) as broker:
        topic = broker.state.topics.by_name("topic") or create_topic(broker)
        append(broker, topic, b"value")
        await broker.commit.durable()


def lives_without_a_checkpoint(data: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each so short that no checkpoint is saved in it."""
    with monkeypatch.context() as patch:
        patch.setattr(GroupCommit, "_is_checkpoint_due", lambda _: False)
        for _ in range(count):
            asyncio.run(write_in_a_life(data))


def test_the_first_thing_after_a_crash_is_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lives_without_a_checkpoint(tmp_path, 3, monkeypatch)
    assert [first for first, _ in journal_files(Disk(tmp_path))] == [1, 3, 4]

    async def idle() -> None:
        async with running(tmp_path) as broker:
            await broker.commit.durable()
            for _ in range(10):  # the first round is on its way
                await asyncio.sleep(0)
            assert broker.commit._checkpoint is not None
            await broker.commit._checkpoint

    asyncio.run(idle())
    assert [first for first, _ in journal_files(Disk(tmp_path))] == [5]
    [topic] = recover(Disk(tmp_path)).topics
    assert topic.partitions[0].high_watermark == 3


def test_a_broker_that_never_lives_long_catches_up_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the journal would fill the disk, and each start would take longer than the one before."""
    lives_without_a_checkpoint(tmp_path, FILES_BEHIND_MAX + 1, monkeypatch)
    assert len(journal_files(Disk(tmp_path))) == FILES_BEHIND_MAX + 1
    with BrokerProcess(tmp_path) as process:
        process.kill()
    assert len(journal_files(Disk(tmp_path))) == 1
    [topic] = recover(Disk(tmp_path)).topics
    assert topic.partitions[0].high_watermark == FILES_BEHIND_MAX + 1
