"""Group commit: one task writes what has been recorded since the last round, with one fsync, and then says so.

A round takes everything that is waiting, writes it to the journal in a thread, makes that durable, writes the batches
to their segments (the page cache is enough, the journal has them), and only then moves the high watermarks and runs
what waits for it. While it runs, the next round gathers. When the journal has grown, the round also rotates it and
hands a snapshot of the state to the checkpoint thread; so does the first round after a crash, that the next start need
not read the same again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import NamedTuple

from tailrace.broker import checkpoint
from tailrace.broker.disk import Buffers, Disk
from tailrace.broker.log.journal import RESERVED_BYTES, JournalFile, journal_files
from tailrace.broker.log.partition import LogEnd, PartitionLog, SegmentWrite
from tailrace.broker.log.segment import Segment
from tailrace.broker.metrics.counters import CommitCounters

FRAMES_PER_FILE_MAX = 50_000
QUICK_BYTES = 128 << 10
UnstoredIndex = tuple[bytes, int]


def neighbours(writes: list[SegmentWrite]) -> Iterator[SegmentWrite]:
    """The writes with those put together that continue each other, so that each segment is written to once."""
    by_segment: dict[Segment, list[SegmentWrite]] = {}
    for write in writes:
        by_segment.setdefault(write.segment, []).append(write)
    for segment, its_writes in by_segment.items():
        yield SegmentWrite(segment, its_writes[0].position, [part for write in its_writes for part in write.parts])


class PendingCheckpoint(NamedTuple):
    """A checkpoint that is about to be saved, and what it makes obsolete."""

    encoded: bytes
    next_frame: int
    indexes: list[tuple[Segment, UnstoredIndex]]
    obsolete: list[str]

    def save(self, disk: Disk) -> None:
        """Make the segments durable, then the checkpoint, then remove what it replaces."""
        for segment, unstored_index in self.indexes:
            segment.sync(unstored_index)
        checkpoint.save(disk, self.encoded)
        for first_frame, name in journal_files(disk):
            if first_frame < self.next_frame:
                disk.remove(name)
        for name in self.obsolete:
            disk.remove(name)


class GroupCommit:
    """Writes what is recorded; frame numbers say how far it got."""

    def __init__(
        self,
        disk: Disk,
        next_frame: int,
        *,
        sync: bool,
        snapshot: Callable[[], bytes],
        on_failure: Callable[[BaseException], None],
        changed_segments: Iterable[Segment] = (),
        files_behind: int = 0,
    ) -> None:
        self.next_frame = next_frame
        self.durable_frame = next_frame - 1
        self._disk = disk
        self._sync = sync
        self._snapshot = snapshot
        self._on_failure = on_failure
        self._frames: list[Buffers] = []
        self._writes: list[SegmentWrite] = []
        self._ends: dict[PartitionLog, LogEnd] = {}
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._work = asyncio.Event()
        self._is_stopping = False
        self.counters = CommitCounters()
        # What the next checkpoint has to make durable.
        self._changed_segments = set(changed_segments)
        self._obsolete: list[str] = []
        # Files of the journal that recovery had to read, because no checkpoint covers them.
        self.files_behind = files_behind
        self._checkpoint: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, "group-commit")
        self._checkpoint_thread = ThreadPoolExecutor(1, "checkpoint")
        self._journal = JournalFile(disk, next_frame)
        self._task: asyncio.Task[None] | None = None
        # Called with the partitions that have more, and whether readers of committed records have more, too.
        self.advanced: Callable[[Mapping[PartitionLog, bool]], None] = lambda _: None

    def start(self) -> None:
        """Begin to write, in the running event loop."""
        if self.files_behind:
            self._work.set()
        self._task = asyncio.create_task(self._run(), name="group commit")

    def add(self, frame: Buffers, writes: list[SegmentWrite], logs: Iterable[PartitionLog]) -> None:
        """Take the frame `next_frame`, what it puts into segments, and the partitions that it appended to."""
        self._frames.append(frame)
        self._writes += writes
        for partition_log in logs:
            self._ends[partition_log] = partition_log.end()
        self.next_frame += 1
        self._work.set()

    def remove_later(self, names: Iterable[str]) -> None:
        """Delete files or directories when no checkpoint speaks of them any more."""
        self._obsolete += names
        self._work.set()

    @property
    def journal_bytes(self) -> int:
        """Bytes in the present file of the journal."""
        return self._journal.size

    @property
    def recorded_frame(self) -> int:
        """Number of the last frame that was recorded."""
        return self.next_frame - 1

    @property
    def known_durable_frame(self) -> int:
        """Number up to which frames must still be there after a power failure, 0 without fsync."""
        return self.durable_frame if self._sync else 0

    def when_durable(self, frame: int, act: Callable[[], None]) -> None:
        """Run `act` when the frame is durable; frames must be asked for in ascending order."""
        if frame <= self.durable_frame:
            act()
        else:
            self._waiting.append((frame, act))

    async def durable(self) -> None:
        """Return when all that is recorded by now is durable."""
        done = asyncio.Event()
        self.when_durable(self.recorded_frame, done.set)
        await done.wait()

    async def _run(self) -> None:
        try:
            while not self._is_stopping:
                await self._work.wait()
                self._work.clear()
                await self._round()
        except Exception as error:
            self._on_failure(error)

    async def _round(self) -> None:
        frames, self._frames = self._frames, []
        writes, self._writes = self._writes, []
        ends, self._ends = self._ends, {}
        last_frame = self.recorded_frame
        self._changed_segments.update(write.segment for write in writes)
        pending = self._prepare_checkpoint() if self._is_checkpoint_due() else None
        if frames and self._is_quick(frames):
            self._write(frames, writes)
        elif frames:
            await self._in_thread(self._write, frames, writes)
        advanced = {partition_log: partition_log.advance(end) for partition_log, end in ends.items()}
        self.durable_frame = last_frame
        self.advanced(advanced)
        while self._waiting and self._waiting[0][0] <= last_frame:
            self._waiting.popleft()[1]()
        if pending is not None:
            await self._rotate(last_frame + 1)
            self._checkpoint = asyncio.create_task(self._save_checkpoint(pending), name="checkpoint")

    def _is_quick(self, frames: list[Buffers]) -> bool:
        """Whether to write at once: without fsync, a little takes less time than waking a thread."""
        return not self._sync and sum(len(part) for frame in frames for part in frame) <= QUICK_BYTES

    async def _in_thread(self, act: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)

    def _write(self, frames: list[Buffers], writes: list[SegmentWrite]) -> None:
        started_s = perf_counter()
        before_bytes = self._journal.size
        self._journal.write([part for frame in frames for part in frame], sync=self._sync)
        self.counters.write_seconds.observe(perf_counter() - started_s)
        self.counters.round_frames.observe(len(frames))
        self.counters.written_bytes += self._journal.size - before_bytes
        for segment, position, parts in neighbours(writes):
            segment.file.write(parts, position)

    async def _rotate(self, first_frame: int) -> None:
        """Go on in a new file of the journal, unless the present one is new."""

        def rotate() -> None:
            self._journal = JournalFile(self._disk, first_frame)

        if self._journal.size:
            await self._in_thread(rotate)

    def _is_checkpoint_due(self) -> bool:
        if self._checkpoint is not None and not self._checkpoint.done():
            return False
        is_full = (
            self._journal.size >= RESERVED_BYTES or self.next_frame - self._journal.first_frame >= FRAMES_PER_FILE_MAX
        )
        return is_full or bool(self._obsolete) or self.files_behind > 0

    def _prepare_checkpoint(self) -> PendingCheckpoint:
        """Take what a checkpoint at the end of the present round consists of."""
        changed, self._changed_segments = self._changed_segments, set()
        obsolete, self._obsolete = self._obsolete, []
        self.files_behind = 0
        indexes = [(segment, segment.index.take_unstored()) for segment in changed]
        return PendingCheckpoint(self._snapshot(), self.next_frame, indexes, obsolete)

    async def _save_checkpoint(self, pending: PendingCheckpoint) -> None:
        loop = asyncio.get_running_loop()
        started_s = perf_counter()
        try:
            await loop.run_in_executor(self._checkpoint_thread, pending.save, self._disk)
            self.counters.checkpoint_seconds.observe(perf_counter() - started_s)
        except Exception as error:
            self._on_failure(error)
        self._work.set()

    async def catch_up(self) -> None:
        """Save a checkpoint of what was recovered, before `start`."""
        await self._save_checkpoint(self._prepare_checkpoint())

    async def stop(self, checkpoint_within_s: float) -> None:
        """Make everything durable and stop; a checkpoint is written when that takes no longer than given.

        Without one nothing is lost: the journal is read again at the next start.
        """
        await self.durable()
        self._is_stopping = True
        self._work.set()
        if self._task is not None:
            await self._task  # the round that is under way may have taken what its checkpoint consists of
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(checkpoint_within_s):
                if self._checkpoint is not None:
                    await asyncio.shield(self._checkpoint)
                if self._journal.size or self.files_behind:
                    pending = self._prepare_checkpoint()
                    await self._rotate(self.next_frame)
                    await asyncio.shield(self._save_checkpoint(pending))
        self._thread.shutdown(wait=False)
        self._checkpoint_thread.shutdown(wait=False)

    def abandon(self) -> None:
        """Stop as in a crash: what is not durable by now is lost."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(cancel_futures=True)
        self._checkpoint_thread.shutdown(cancel_futures=True)
