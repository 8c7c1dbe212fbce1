"""Checking a data directory against itself: checkpoint, journal, segments and indexes.

A broker that runs meanwhile goes on writing: it replaces the checkpoint and then removes what that does not need, and
frames may appear while their file is being read. So what looks wrong while a broker runs is looked at again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from tailrace.broker import checkpoint
from tailrace.broker.checkpoint import Checkpoint, CorruptCheckpoint, TopicSnapshot
from tailrace.broker.disk import Disk, File
from tailrace.broker.events import LogStartMoved, PartitionsAdded, TopicCreated, TopicDeleted
from tailrace.broker.log.index import SegmentIndex
from tailrace.broker.log.journal import Frame, JournalDamaged, journal_files
from tailrace.broker.log.partition import PartitionSnapshot, SegmentSnapshot
from tailrace.broker.offline.journal_file import stored_frames
from tailrace.broker.offline.owner import owner_of
from tailrace.broker.offline.segment_file import (
    ENTRY_BYTES,
    IndexEntry,
    NotIntact,
    StoredBatch,
    read_batches,
    read_index,
)
from tailrace.wire.record_batch import is_intact, parse_header

ATTEMPTS = 5
INDEX_INTERVAL_BYTES = SegmentIndex(0).interval_bytes


class Problem(NamedTuple):
    """What is wrong in a file (relative to the directory), at a byte where that makes sense."""

    file: str
    position: int | None
    what: str


@dataclass
class Report:
    """What was read, what is wrong, and what is remarkable without being wrong."""

    topics: int = 0
    partitions: int = 0
    segments: int = 0
    batches: int = 0
    frames: int = 0
    bytes_read: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(root: Path) -> Report:
    """Check everything in a data directory."""
    disk = Disk(root)
    for _ in range(ATTEMPTS):
        before = disk.read(checkpoint.NAME)
        report = Report()
        _verify(disk, report)
        is_quiet = owner_of(root) is None and disk.read(checkpoint.NAME) == before
        if is_quiet or not report.problems:
            break
    return report


def _verify(disk: Disk, report: Report) -> None:
    try:
        stored = checkpoint.load(disk)
    except (CorruptCheckpoint, ValueError) as error:
        report.problems.append(Problem(checkpoint.NAME, None, str(error)))
        return
    if stored is None:
        report.problems.append(Problem(checkpoint.NAME, None, "there is none; is this the data directory of a broker?"))
        return
    ends = Ends(stored)
    report.problems += _check_journal(disk, stored.next_frame, ends, report)
    for topic in stored.topics:
        if topic.topic_id not in ends.deleted:
            _check_topic(disk, topic, report)
    _note_leftovers(disk, stored, ends, report)


class Ends:
    """Where each partition ends, as the journal is followed from the checkpoint on."""

    def __init__(self, stored: Checkpoint) -> None:
        self.deleted: set[bytes] = set()
        self.created: dict[bytes, str] = {}
        self._offsets = {
            (topic.topic_id, index): partition.log_end_offset
            for topic in stored.topics
            for index, partition in enumerate(topic.partitions)
        }
        self._counts = {topic.topic_id: len(topic.partitions) for topic in stored.topics}

    def follow(self, frame: Frame) -> Iterator[str]:
        """Take in a frame; gives what does not fit."""
        for number, batch in enumerate(frame.batches, 1):
            where = (
                f"batch {number} of frame {frame.number:,}, for partition {batch.partition} of {_uuid(batch.topic_id)}"
            )
            if not is_intact(batch.data, 0):
                yield f"{where} has a wrong length, magic or CRC"
                continue
            header = parse_header(batch.data)
            place = batch.topic_id, batch.partition
            if place not in self._offsets:
                if batch.topic_id not in self.deleted:
                    yield f"{where}, which does not exist"
            elif header.base_offset != self._offsets[place]:
                yield f"{where} has offset {header.base_offset:,}, expected {self._offsets[place]:,}"
            self._offsets[place] = header.last_offset + 1
        for event in frame.events:
            match event:
                case TopicCreated():
                    self.created[event.topic_id] = event.name
                    self._grow(event.topic_id, event.partition_count)
                case PartitionsAdded():
                    self._grow(event.topic_id, event.partition_count)
                case TopicDeleted():
                    yield from self._delete(event.topic_id, frame.number)
                case LogStartMoved() if (event.topic_id, event.partition) not in self._offsets:
                    yield f"frame {frame.number:,} moves the start of a log that does not exist: {event}"
                case _:
                    pass

    def _grow(self, topic_id: bytes, count: int) -> None:
        for index in range(self._counts.get(topic_id, 0), count):
            self._offsets[topic_id, index] = 0
        self._counts[topic_id] = count

    def _delete(self, topic_id: bytes, frame: int) -> Iterator[str]:
        if topic_id not in self._counts:
            yield f"frame {frame:,} deletes topic {_uuid(topic_id)}, which does not exist"
            return
        for index in range(self._counts.pop(topic_id)):
            del self._offsets[topic_id, index]
        self.created.pop(topic_id, None)
        self.deleted.add(topic_id)


def _check_journal(disk: Disk, next_frame: int, ends: Ends, report: Report) -> Iterator[Problem]:
    for first_frame, name in journal_files(disk):
        if first_frame < next_frame:
            report.notes.append(f"{name} is covered by the checkpoint; the next one removes it")
            continue
        if first_frame != next_frame:
            yield Problem(name, None, f"begins with frame {first_frame:,}, expected {next_frame:,}; a file is missing")
            next_frame = first_frame
        try:
            for stored in stored_frames(disk.root / name, first_frame):
                report.frames += 1
                report.bytes_read += stored.end - stored.position
                next_frame = stored.frame.number + 1
                for what in ends.follow(stored.frame):
                    yield Problem(name, stored.position, what)
        except (JournalDamaged, ValueError, OSError) as error:
            yield Problem(name, None, str(error))


def _check_topic(disk: Disk, topic: TopicSnapshot, report: Report) -> None:
    report.topics += 1
    for index, partition in enumerate(topic.partitions):
        report.partitions += 1
        directory = f"topics/{topic.name}/{_uuid(topic.topic_id)}/{index}"
        for what in _contradictions(partition):
            report.problems.append(Problem(checkpoint.NAME, None, f"{directory}: {what}"))
        _check_segments(disk, directory, partition, report)


def _contradictions(partition: PartitionSnapshot) -> Iterator[str]:
    """What the checkpoint says about a partition and cannot be."""
    bases = [segment.base_offset for segment in partition.segments]
    if bases != sorted(set(bases)):
        yield f"the segments' base offsets do not ascend: {bases}"
    if not 0 <= partition.log_start_offset <= partition.log_end_offset:
        yield f"the log is from {partition.log_start_offset:,} to {partition.log_end_offset:,}"
    if any(
        later[0] <= one[0] or later[1] < one[1]
        for one, later in zip(partition.epochs, partition.epochs[1:], strict=False)
    ):
        yield f"the leader epochs do not ascend: {partition.epochs}"


def _check_segments(disk: Disk, directory: str, partition: PartitionSnapshot, report: Report) -> None:
    bases = [segment.base_offset for segment in partition.segments]
    for segment, limit in zip(partition.segments, [*bases[1:], partition.log_end_offset], strict=True):
        name = f"{directory}/{segment.base_offset:020}" + (f".{segment.generation}" if segment.generation else "")
        report.segments += 1
        checked = CheckedSegment(segment, limit, partition.epochs)
        path = disk.root / f"{name}.log"
        problems = [*checked.check(path), *checked.check_index(disk.root / f"{name}.index")]
        report.problems += [Problem(f"{name}{suffix}", position, what) for suffix, position, what in problems]
        report.batches += checked.batch_count
        report.bytes_read += segment.size
    active = partition.segments[-1] if partition.segments else None
    if active and not active.size and active.base_offset != partition.log_end_offset:
        what = f"the last segment is empty and begins at {active.base_offset:,}, not at the end of the log"
        report.problems.append(Problem(checkpoint.NAME, None, f"{directory}: {what}"))


class CheckedSegment:
    """A segment up to the size that the checkpoint says; offsets from its base up to `limit`, exclusive."""

    def __init__(self, stored: SegmentSnapshot, limit: int, epochs: list[tuple[int, int]]) -> None:
        self.batch_count = 0
        self.expected_index: list[IndexEntry] = []
        self._stored = stored
        self._limit = limit
        self._epochs = epochs
        self._next_offset = stored.base_offset
        self._max_timestamp = -1
        self._known_until = stored.size

    def check(self, path: Path) -> Iterator[tuple[str, int | None, str]]:
        """Suffix of the file, position and description of whatever is wrong with the batches."""
        if not self._stored.size:
            return
        try:
            file = File(path, read_only=True)
        except OSError as error:
            yield ".log", None, f"cannot be opened: {error.strerror}"
            self._known_until = 0
            return
        if file.size() < self._stored.size:
            yield ".log", None, f"has {file.size():,} bytes, the checkpoint says {self._stored.size:,}"
        for batch in read_batches(file, min(self._stored.size, file.size())):
            if isinstance(batch, NotIntact):
                yield ".log", batch.position, batch.why
                self._known_until = batch.position
                return
            for what in self._check_batch(batch):
                yield ".log", batch.position, what
        if self._max_timestamp != self._stored.max_timestamp:
            yield (
                ".log",
                None,
                f"has max timestamp {self._max_timestamp}, the checkpoint says {self._stored.max_timestamp}",
            )

    def _check_batch(self, batch: StoredBatch) -> Iterator[str]:
        header = batch.header
        self.batch_count += 1
        last = self.expected_index[-1].position if self.expected_index else 0
        if batch.position - last >= INDEX_INTERVAL_BYTES:
            entry = IndexEntry(header.base_offset, batch.position, self._max_timestamp)
            self.expected_index.append(entry)
        if header.base_offset < self._next_offset:
            yield f"has offset {header.base_offset:,}, expected {self._next_offset:,} or more"
        if header.last_offset >= self._limit:
            yield f"ends with offset {header.last_offset:,}, expected less than {self._limit:,}"
        if header.last_offset_delta < 0 or header.record_count > header.last_offset_delta + 1:
            yield f"has {header.record_count} records in {header.last_offset_delta + 1} offsets"
        epoch = max((epoch for epoch, start in self._epochs if start <= header.base_offset), default=None)
        if epoch != header.leader_epoch:
            yield f"has leader epoch {header.leader_epoch}, the checkpoint says {epoch} for {header.base_offset:,}"
        self._next_offset = header.last_offset + 1
        self._max_timestamp = max(self._max_timestamp, header.max_timestamp)

    def check_index(self, path: Path) -> Iterator[tuple[str, int | None, str]]:
        """Suffix of the file, position and description of whatever is wrong with the index, if there is one."""
        try:
            entries = read_index(path)
        except FileNotFoundError:
            return  # a small segment has none, and it can be made anew
        except OSError as error:
            yield ".index", None, f"cannot be read: {error.strerror}"
            return
        for number, (found, expected) in enumerate(zip_longest(entries, self.expected_index)):
            # Behind the expected ones may be entries of batches that the checkpoint does not know.
            is_fine = found == expected if expected else found.position >= self._known_until
            if not is_fine:
                yield ".index", number * ENTRY_BYTES, f"entry {number} is {_tuple(found)}, expected {_tuple(expected)}"
                return


def _tuple(entry: IndexEntry | None) -> object:
    return None if entry is None else tuple(entry)


def _note_leftovers(disk: Disk, stored: Checkpoint, ends: Ends, report: Report) -> None:
    """Directories of topics that neither the checkpoint nor the journal knows: a crash left them behind."""
    known = {(topic.name, str(UUID(bytes=topic.topic_id))) for topic in stored.topics}
    known |= {(name, str(UUID(bytes=topic_id))) for topic_id, name in ends.created.items()}
    for name in disk.list("topics"):
        for uuid in disk.list(f"topics/{name}"):
            if (name, uuid) not in known:
                report.notes.append(f"topics/{name}/{uuid} belongs to no topic; the broker removes it when it starts")


def _uuid(topic_id: bytes) -> UUID:
    return UUID(bytes=topic_id)
