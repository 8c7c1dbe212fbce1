"""Bringing a broker's state back: the last checkpoint, then the frames of the journal after it.

Segments are cut to what the checkpoint says and written again from the journal. So it does not matter what a crash left
of them, and start-up reads at most the journal, not the log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from uuid import uuid4

import msgspec
import structlog

from tailrace.broker import checkpoint
from tailrace.broker.broker import State
from tailrace.broker.checkpoint import Checkpoint
from tailrace.broker.config import Flush
from tailrace.broker.disk import Disk
from tailrace.broker.events import TopicDeleted
from tailrace.broker.log.journal import Frame, journal_files, read_frames

log = structlog.get_logger()


class JournalGap(Exception):
    """Frames are missing between two files of the journal."""


def recover(disk: Disk, flush: Flush = Flush.FSYNC, topic_defaults: Mapping[str, str] = MappingProxyType({})) -> State:
    """Bring the state back, or start with an empty one. Raises CorruptCheckpoint or JournalGap."""
    started = time.perf_counter()
    stored = checkpoint.load(disk)
    if stored is None:
        stored = Checkpoint(cluster_id=uuid4().hex[:22], next_frame=1, leader_epoch=0, next_producer_id=1000)
        checkpoint.save(disk, msgspec.msgpack.encode(stored))
    frames, file_count = _frames(disk, stored.next_frame)
    deleted = {event.topic_id for frame in frames for event in frame.events if isinstance(event, TopicDeleted)}
    state = State(disk, _without_files_of(stored, deleted), topic_defaults)
    for frame in frames:
        _replay(state, frame)
    for topic in state.topics:
        for partition in topic.partitions:
            partition.advance(partition.end())
    if frames and flush is Flush.KAFKA:
        # What was read before a crash of the machine may be gone; another epoch lets consumers notice.
        state.leader_epoch += 1
    _remove_leftovers(disk, state)
    state.obsolete_files = _dropped_segments(disk, state)
    state.files_behind = file_count
    if frames:
        elapsed_ms = (time.perf_counter() - started) * 1000
        log.info("recovered from the journal", frames=len(frames), elapsed_ms=round(elapsed_ms))
    return state


def _frames(disk: Disk, next_frame: int) -> tuple[list[Frame], int]:
    """The frames from a number on, and how many files they were in."""
    frames: list[Frame] = []
    file_count = 0
    for first_frame, name in journal_files(disk):
        if first_frame < next_frame:
            continue  # the checkpoint covers it; only its removal was not finished
        if first_frame != next_frame:
            raise JournalGap(
                f"{disk.root / name} begins with frame {first_frame:,}, expected {next_frame:,}; a file of the journal "
                "is missing or damaged, restore the data directory from a copy"
            )
        file = disk.open(name)
        file.sync()  # what is applied now must still be there after the next crash
        found = list(read_frames(file, first_frame))
        if found:
            file_count += 1
            frames += found
            next_frame = frames[-1].number + 1
    return frames, file_count


def _without_files_of(stored: Checkpoint, deleted: set[bytes]) -> Checkpoint:
    """The checkpoint with topics that get deleted emptied: their files may be gone already."""
    for topic in stored.topics:
        if topic.topic_id in deleted:
            for partition in topic.partitions:
                partition.segments = []
    return stored


def _replay(state: State, frame: Frame) -> None:
    for batch in frame.batches:
        appended = state.append(batch)
        if appended is not None:
            segment, position, parts = appended[1]
            segment.file.write(parts, position)
            state.replayed_segments.add(segment)
    for event in frame.events:
        state.apply(event)
    state.next_frame = frame.number + 1


def _remove_leftovers(disk: Disk, state: State) -> None:
    """Remove what a crash kept from being removed: files of topics that do not exist any more."""
    for name in disk.list("topics"):
        topic = state.topics.by_name(name)
        for uuid in disk.list(f"topics/{name}"):
            if topic is None or uuid != str(topic.uuid):
                disk.remove(f"topics/{name}/{uuid}")
        if topic is None:
            disk.remove(f"topics/{name}")


def _dropped_segments(disk: Disk, state: State) -> list[str]:
    """Files of segments that the logs do not have any more; the checkpoint may, so that they cannot go yet."""
    found = []
    for topic in state.topics:
        for partition in topic.partitions:
            known = {name for segment in partition.segments for name in (segment.log_name, segment.index_name)}
            names = (f"{partition.directory}/{name}" for name in disk.list(partition.directory))
            found += [name for name in names if name not in known]
    return found
