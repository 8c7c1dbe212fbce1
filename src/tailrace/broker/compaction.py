"""Compaction: in a topic with `cleanup.policy=compact` the latest record of each key is kept, and older ones go.

When a log is dirty enough, its closed segments are written anew in a thread, while clients read on in the old ones.
Then the new ones take their place, and the old files go when no checkpoint speaks of them any more, so a crash leaves
the old or the new. Nothing at or above the last stable offset is touched: an open transaction may still be aborted, and
then what it was to replace has to be there.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import structlog

from tailrace.broker.log.cleaner import Cleaned, CleaningPlan, clean
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.log.segment import Segment

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker
    from tailrace.broker.topics import Topic

log = structlog.get_logger()

WORK_S = 0.001


class Dirt(NamedTuple):
    """How dirty a log is, by Kafka's measure."""

    segments: list[Segment]
    """What can be cleaned, from the first segment on."""

    end: int
    ratio: float
    """Bytes written since the last cleaning in relation to all that can be cleaned."""

    oldest_ms: int
    """Timestamp of the first record since the last cleaning."""


def dirt_of(partition: PartitionLog, now_ms: int, min_compaction_lag_ms: int) -> Dirt | None:
    """How dirty the log is; None when nothing was written since the last cleaning that can be cleaned."""
    segments = []
    for segment in partition.decided_segments():
        if min_compaction_lag_ms and segment.max_timestamp > now_ms - min_compaction_lag_ms:
            break
        segments.append(segment)
    end = partition.segments[len(segments)].base_offset
    if end <= partition.cleaned_until or not segments:
        return None
    ends = [segment.base_offset for segment in partition.segments[1 : len(segments) + 1]]
    dirty = [segment for segment, its_end in zip(segments, ends, strict=True) if its_end > partition.cleaned_until]
    total_bytes = sum(segment.size for segment in segments)
    dirty_bytes = sum(segment.size for segment in dirty)
    return Dirt(segments, end, dirty_bytes / max(total_bytes, 1), dirty[0].first_timestamp)


def must_clean(topic: Topic, dirt: Dirt, now_ms: int) -> bool:
    """Whether a log is dirty enough, or has been dirty for long enough."""
    return dirt.ratio > topic.min_cleanable_dirty_ratio or dirt.oldest_ms < now_ms - topic.max_compaction_lag_ms


class Compaction:
    """Cleans one log after the other, in a thread that leaves the processor to clients half of the time."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._thread = ThreadPoolExecutor(1, "compaction")
        self._uncleanable: set[PartitionLog] = set()
        self._stopped = Event()
        self._worked_since_s = 0.0

    async def run(self) -> None:
        """Clean what is dirty, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._broker.config.log_cleaner_backoff_ms / 1000)
                await self.clean_all()
        finally:
            self._stopped.set()
            self._thread.shutdown(wait=False)

    async def clean_all(self) -> None:
        """Clean each log that is dirty enough, once, the dirtiest first."""
        now_ms = self._broker.now_ms()
        found = []
        for topic in self._broker.state.topics:
            for index, partition in enumerate(topic.partitions if topic.is_compacted else ()):
                dirt = dirt_of(partition, now_ms, topic.min_compaction_lag_ms)
                if dirt is not None and must_clean(topic, dirt, now_ms) and partition not in self._uncleanable:
                    found.append((dirt, topic, index))
        for dirt, topic, index in sorted(found, key=lambda each: -each[0].ratio):
            await self._clean(dirt, topic, index)

    async def _clean(self, dirt: Dirt, topic: Topic, index: int) -> None:
        partition = topic.partitions[index]
        plan = CleaningPlan(
            self._broker.disk,
            partition.directory,
            dirt.segments,
            dirt.end,
            partition.cleaned_until,
            list(partition.producers.aborted),
            self._broker.now_ms(),
            topic.delete_retention_ms,
            partition.segment_bytes,
        )
        started_s = time.perf_counter()
        try:
            cleaned = await asyncio.get_running_loop().run_in_executor(self._thread, clean, plan, self._pace)
        except Exception as error:
            self._uncleanable.add(partition)
            log.error("compaction failed, not tried again", topic=topic.name, partition=index, exc_info=error)
            return
        self._install(topic, partition, plan, cleaned)
        log.info(
            "compaction",
            topic=topic.name,
            partition=index,
            to_offset=cleaned.cleaned_until,
            bytes_before=sum(segment.size for segment in plan.segments),
            bytes_after=sum(segment.size for segment in cleaned.segments),
            elapsed_ms=round((time.perf_counter() - started_s) * 1000),
        )

    def _install(self, topic: Topic, partition: PartitionLog, plan: CleaningPlan, cleaned: Cleaned) -> None:
        """Use the new segments, unless the log lost some of the old ones meanwhile, or is gone."""
        if self._broker.state.topics.by_id(topic.id) is not topic:
            self._broker.commit.remove_later([topic.directory])
            return
        is_used = partition.replace_segments(plan.segments, cleaned.segments, cleaned.cleaned_until, cleaned.forgotten)
        useless = plan.segments if is_used else cleaned.segments
        self._broker.commit.remove_later(name for each in useless for name in (each.log_name, each.index_name))

    def _pace(self) -> None:
        """Rest for as long as was worked; end when the broker does."""
        if self._stopped.is_set():
            raise CompactionStopped
        worked_s = time.perf_counter() - self._worked_since_s
        if worked_s >= WORK_S:
            self._stopped.wait(min(worked_s, 10 * WORK_S))
            self._worked_since_s = time.perf_counter()


class CompactionStopped(Exception):
    """The broker ends; what was begun is thrown away."""
