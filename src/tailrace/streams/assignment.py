"""The assignment: the tasks of the partitions that this process owns, opened and let go as the group rebalances."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tailrace.streams.committed import CommittedOffsets
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.plan import Plan
from tailrace.streams.progress import Progress, Source
from tailrace.streams.restore import restore
from tailrace.streams.state.stream_time import decoded
from tailrace.streams.task import Task


class Assignment:
    """The tasks, and how far the topics were read that others wait for. `uncommitted`: see `restore`.

    A task has all topics of its sub-topology or does not run: partitions of which others are still elsewhere, as may be
    while instances of two versions run, are `held`. So are the `unconfirmed` ones: see Ownership.
    """

    def __init__(
        self,
        plan: Plan,
        partitions: Mapping[str, int],
        bootstrap_servers: str,
        uncommitted: Consumer,
        open_task: Callable[[TaskId], Task],
        stopped: Callable[[], bool],
    ) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self.progress = Progress({})
        self.unconfirmed: set[Source] = set()
        self._owned: set[Source] = set()
        self._plan = plan
        self._partitions = partitions
        self._bootstrap_servers = bootstrap_servers
        self._uncommitted = uncommitted
        self._open_task = open_task
        self._stopped = stopped

    def id_of(self, topic: str, partition: int) -> TaskId:
        """The name of the task that a topic's partition belongs to."""
        return self._plan.of_topic[topic].name, partition

    def task_of(self, topic: str, partition: int) -> Task | None:
        """The task that a topic's partition belongs to, if it is here."""
        return self.tasks.get(self.id_of(topic, partition))

    def own(self, partitions: Iterable[Source]) -> None:
        """Note partitions that are the client's; their tasks begin when they are `open`."""
        self._owned |= (given := set(partitions))
        self.unconfirmed |= given

    def open(self, consumer: Consumer, partitions: Iterable[Source]) -> list[Source]:
        """Take over partitions: make their tasks and catch up their state. Gives what is to be read from now on.

        The committed offsets are asked for first: the broker answers when no open transaction holds any of them, so
        that what a predecessor did is decided before the journals are read. Raises OffsetsLost.
        """
        self._owned |= (given := set(partitions))
        self.unconfirmed -= given
        ready = [id_ for id_ in sorted({self.id_of(*source) for source in self._owned}) if self._is_ready(id_)]
        sources = [source for id_ in ready for source in self._sources(id_)]
        streams = [source for source in sources if source[0] not in self._plan.tables]
        offsets = CommittedOffsets(self._plan.application, consumer, self._uncommitted, self._stopped)
        committed = offsets.ask(streams)
        tasks: dict[TaskId, Task] = {}
        try:
            for id_ in ready:
                tasks[id_] = self._open_task(id_)
            self._catch_up(tasks, offsets, committed)
        except BaseException:
            for task in tasks.values():
                task.close()
            raise
        # Queries of other threads see tasks only when they are caught up.
        self.tasks |= tasks
        return sources

    def _catch_up(
        self, tasks: Mapping[TaskId, Task], offsets: CommittedOffsets, committed: list[TopicPartition]
    ) -> None:
        told = None
        while told is not committed:
            told, ends = committed, {(tp.topic, tp.partition): max(tp.offset, 0) for tp in committed}
            folded = restore(
                tasks.values(), ends, self._uncommitted, self._bootstrap_servers, self._plan.application, self._stopped
            )
            committed = offsets.confirm(told, *self._evidence(tasks, told))
        for tp in committed:
            task = tasks[self.id_of(tp.topic, tp.partition)]
            task.start_at(tp.topic, max(tp.offset, 0), decoded(tp.metadata))
        tables = {source: offset for source, offset in folded.items() if source[0] in self._plan.tables}
        timed = {source: offset for source, offset in ends.items() if self._plan.of_topic[source[0]].is_timed}
        self.progress.add(tables | timed)

    def _evidence(
        self, tasks: Mapping[TaskId, Task], told: Sequence[TopicPartition]
    ) -> tuple[dict[Source, int], list[list[Source]]]:
        """What must have been committed: see CommittedOffsets.confirm."""
        of_task: dict[TaskId, list[Source]] = {}
        for tp in told:
            of_task.setdefault(self.id_of(tp.topic, tp.partition), []).append((tp.topic, tp.partition))
        read = {source: tasks[id_].read(source[0]) for id_, sources in of_task.items() for source in sources}
        return read, [sources for id_, sources in of_task.items() if tasks[id_].has_changes()]

    @property
    def owns_any(self) -> bool:
        """Whether any partition is here."""
        return bool(self._owned)

    def held(self) -> list[Source]:
        """The partitions that wait for others of their task."""
        return [source for source in sorted(self._owned) if self.id_of(*source) not in self.tasks]

    def position(self, source: Source) -> TopicPartition:
        """Where to read on in a partition."""
        task = self.task_of(*source)
        offset = 0 if task is None else task.positions.get(source[0], self.progress.positions.get(source, 0))
        return TopicPartition(*source, offset if offset > 0 else OFFSET_BEGINNING)

    def positions(self) -> list[TopicPartition]:
        """Where to read on in all that is read."""
        return [self.position(source) for source in sorted(self._owned) if self.task_of(*source) is not None]

    def release(self, partitions: Iterable[Source] | None = None) -> None:
        """Close the tasks of partitions, or all; what they have not committed is gone."""
        lost = set(self._owned if partitions is None else partitions)
        self._owned -= lost
        self.unconfirmed -= lost
        for name, partition in {self.id_of(*source) for source in lost}:
            if (task := self.tasks.pop((name, partition), None)) is not None:
                task.close()
            self.progress.drop(partition, self._plan.named[name].inputs)

    @property
    def has_grown(self) -> bool:
        """Whether a topic has more partitions than it had when the plan was made; no task reads those yet."""
        return any(partition >= self._partitions[topic] for topic, partition in self._owned)

    def _is_ready(self, id_: TaskId) -> bool:
        sources = self._sources(id_)
        return id_ not in self.tasks and bool(sources) and (self._owned - self.unconfirmed).issuperset(sources)

    def _sources(self, id_: TaskId) -> list[Source]:
        name, partition = id_
        return [(t, partition) for t in self._plan.named[name].inputs if partition < self._partitions[t]]

    def write(self) -> None:
        """Write committed state to disk."""
        for task in self.tasks.values():
            task.write()
