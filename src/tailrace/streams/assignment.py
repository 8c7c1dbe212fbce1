"""The assignment: the tasks of the partitions that this process owns, opened and let go as the group rebalances."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from tailrace.client import watermarks
from tailrace.streams.metrics.counters import TaskCounters
from tailrace.streams.plan import Plan
from tailrace.streams.progress import Progress, Source
from tailrace.streams.restore import restore
from tailrace.streams.state.backend import open_backend
from tailrace.streams.state.stream_time import decoded
from tailrace.streams.state.table import TableStore
from tailrace.streams.subtopology import SubTopology
from tailrace.streams.task import Output, Task

log = structlog.get_logger("tailrace.streams")

# `delete.retention.ms` of a topic, which is a day unless it was changed, less an hour.
DELETIONS_KEPT_MS = 23 * 3_600_000

# Name of a sub-topology, and partition number.
TaskId = tuple[str, int]


class Assignment:
    """The tasks, and how far the topics were read that others wait for.

    A task has all topics of its sub-topology or does not run: partitions of which others are still elsewhere, as may be
    while instances of two versions run, are `held`.
    """

    def __init__(
        self,
        plan: Plan,
        partitions: Mapping[str, int],
        state: Path | None,
        bootstrap_servers: str,
        outputs: list[Output],
        global_tables: dict[str, TableStore[Any, Any]],
        stopped: Callable[[], bool],
        counters: Callable[[str], TaskCounters],
    ) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self.progress = Progress({})
        self._owned: set[Source] = set()
        self._plan = plan
        self._partitions = partitions
        self._state = state
        self._bootstrap_servers = bootstrap_servers
        self._outputs = outputs
        self._global_tables = global_tables
        self._stopped = stopped
        self._counters = counters

    def id_of(self, topic: str, partition: int) -> TaskId:
        """The name of the task that a topic's partition belongs to."""
        return self._plan.of_topic[topic].name, partition

    def task_of(self, topic: str, partition: int) -> Task | None:
        """The task that a topic's partition belongs to, if it is here."""
        return self.tasks.get(self.id_of(topic, partition))

    def open(self, consumer: Consumer, partitions: Iterable[Source]) -> list[Source]:
        """Take over partitions: make their tasks and catch up their state. Gives what is to be read from now on.

        The committed offsets are asked for first: the broker answers when no open transaction holds any of them, so
        that what a predecessor did is decided before the journals are read.
        """
        self._owned |= set(partitions)
        ready = [id_ for id_ in sorted({self.id_of(*source) for source in self._owned}) if self._is_ready(id_)]
        sources = [source for id_ in ready for source in self._sources(id_)]
        streams = [source for source in sources if source[0] not in self._plan.tables]
        committed = self._committed(consumer, [TopicPartition(*source) for source in streams])
        tasks = {id_: self._open_task(consumer, self._plan.named[id_[0]], id_[1]) for id_ in ready}
        self.tasks |= tasks
        ends = {(tp.topic, tp.partition): max(tp.offset, 0) for tp in committed}
        folded = restore(tasks.values(), ends, self._bootstrap_servers, self._plan.application, self._stopped)
        for tp in committed:
            task = tasks[self.id_of(tp.topic, tp.partition)]
            task.start_at(tp.topic, max(tp.offset, 0), decoded(tp.metadata))
        tables = {source: offset for source, offset in folded.items() if source[0] in self._plan.tables}
        timed = {source: offset for source, offset in ends.items() if self._plan.of_topic[source[0]].is_timed}
        self.progress.add(tables | timed)
        log.info(
            "assigned", application=self._plan.application, tasks=[f"{name}-{p}" for name, p in sorted(self.tasks)]
        )
        return sources

    @property
    def owns_any(self) -> bool:
        """Whether any partition is here."""
        return bool(self._owned)

    def held(self) -> list[Source]:
        """The partitions that wait for others of their task."""
        return [source for source in self._owned if self.id_of(*source) not in self.tasks]

    def position(self, source: Source) -> TopicPartition:
        """Where to read on in a partition."""
        task = self.task_of(*source)
        offset = 0 if task is None else task.positions.get(source[0], self.progress.positions.get(source, 0))
        return TopicPartition(*source, offset if offset > 0 else OFFSET_BEGINNING)

    def positions(self) -> list[TopicPartition]:
        """Where to read on in all that is owned."""
        return [self.position(source) for source in sorted(self._owned)]

    def release(self, partitions: Iterable[Source] | None = None) -> None:
        """Close the tasks of partitions, or all; what they have not committed is gone."""
        lost = set(self._owned if partitions is None else partitions)
        self._owned -= lost
        for name, partition in {self.id_of(*source) for source in lost}:
            if (task := self.tasks.pop((name, partition), None)) is not None:
                task.close()
            self.progress.drop(partition, self._plan.named[name].inputs)

    def _is_ready(self, id_: TaskId) -> bool:
        return id_ not in self.tasks and all(source in self._owned for source in self._sources(id_))

    def _sources(self, id_: TaskId) -> list[Source]:
        name, partition = id_
        return [(t, partition) for t in self._plan.named[name].inputs if partition < self._partitions[t]]

    def write(self) -> None:
        """Write committed state to disk."""
        for task in self.tasks.values():
            task.write()

    def _committed(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        while True:
            try:
                return consumer.committed(partitions, timeout=10.0)
            except KafkaException as exception:
                if self._stopped() or not exception.args[0].retriable():
                    raise
                log.info("waiting for committed offsets", reason=exception.args[0].str())

    def _open_task(self, consumer: Consumer, sub: SubTopology, partition: int) -> Task:
        folder = self._state and self._state / f"{sub.name}-{partition}"
        task = self._new_task(sub, partition, folder)
        if folder is not None and (unusable := why_unusable(consumer, task)):
            log.warning("state is rebuilt", reason=unusable, folder=str(folder))
            task.close()
            shutil.rmtree(folder)
            task = self._new_task(sub, partition, folder)
        return task

    def _new_task(self, sub: SubTopology, partition: int, folder: Path | None) -> Task:
        counters = self._counters(f"{sub.name}-{partition}")
        return Task(sub, partition, open_backend(folder), self._outputs, self._global_tables, counters)


def why_unusable(consumer: Consumer, task: Task) -> str | None:
    """Say why state cannot be caught up from its topics, or None.

    Either it goes further than they do, since they were deleted and made anew; or it is so old that compaction may have
    forgotten deletions that the state never saw, and deleted keys would come back.
    """
    is_old = task.state_age_ms() > DELETIONS_KEPT_MS
    compacted = task.compacted
    for topic, offset in task.folded.items():
        if offset > 0:
            _, end = watermarks(consumer, topic, task.partition)
            if offset > end:
                return f"it is of another {topic}: it goes to offset {offset}, the topic to {end}"
            if is_old and offset < end and topic in compacted:
                return f"it is so old that {topic} may have forgotten what was deleted since"
    return None
