"""The standbys of a worker: which there are, what they read, and how they are taken over.

They are worked on between the polls of the worker, in its thread and a little at a time, so that nobody else has their
folders: a task that the group assigns to this instance is handed over as it is.
"""

import time
from collections import deque
from collections.abc import Callable, Collection

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaError, TopicPartition

from tailrace.client import Record, consume, consumer
from tailrace.streams.config import StreamsConfig
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.outbox import Outbox
from tailrace.streams.plan import Plan
from tailrace.streams.progress import Source
from tailrace.streams.standby.committed import CommittedOffsets
from tailrace.streams.standby.placement import standbys_for
from tailrace.streams.standby.standby import Standby
from tailrace.streams.task import Task

log = structlog.get_logger("tailrace.streams")

# How often it is looked at which tasks should be kept here, and told how far they are behind.
LOOK_INTERVAL_S = 0.5
# How many records are folded between two polls of the worker: few beside a batch of its own.
SLICE = 500
# How many are read ahead of what the group has committed, and how much is fetched ahead of all.
MAX_WAITING = 10_000
QUEUED_KB = 4_096


class Standbys:
    """Tasks of other instances whose state is kept up to date here; `open_task` opens one with what is on disk."""

    def __init__(
        self,
        plan: Plan,
        config: StreamsConfig,
        partitions: dict[str, int],
        meeting: Meeting,
        open_task: Callable[[TaskId], Task],
        outbox: Outbox,
    ) -> None:
        self._plan = plan
        self._replicas = config.standby_replicas
        self._write_interval_s = config.write_interval_ms / 1000
        self._meeting = meeting
        self._open_task = open_task
        self._outbox = outbox
        self._all = [(sub.name, number) for sub, count in plan.tasks(partitions) for number in range(count)]
        self._standbys: dict[TaskId, Standby] = {}
        self._to_open: deque[TaskId] = deque()
        # Those that could not be kept up to date; whoever works on them finds out why.
        self._given_up: set[TaskId] = set()
        self._committed = CommittedOffsets(config.bootstrap_servers, plan.application)
        self._reader: Consumer = consumer(
            config.bootstrap_servers,
            f"{plan.application}-standby",
            enable_partition_eof=True,
            queued_max_messages_kbytes=QUEUED_KB,
        )
        # Who reads a source: a topic may be the journal of one task and the table of another.
        self._readers: dict[Source, list[TaskId]] = {}
        self._paused: set[Source] = set()
        self._has_changed = False
        self._looked_at = self._written_at = 0.0

    def keep_up(self, active: Collection[TaskId]) -> bool:
        """Do a little, given the tasks that this instance works on; say whether there is more to do at once."""
        if self._meeting.is_known and time.monotonic() - self._looked_at > LOOK_INTERVAL_S:
            self._looked_at = time.monotonic()
            self._look(active)
        if self._to_open:
            # One at a time: that takes a moment.
            self._open(self._to_open.popleft())
        if self._has_changed:
            self._assign()
        records = consume(self._reader, SLICE, 0) if self._standbys else []
        self._fold(records)
        self._write()
        return bool(self._to_open) or len(records) == SLICE

    def take(self, id_: TaskId) -> Task | None:
        """Give up a standby, if there is one, to whoever works on the task from now on."""
        self._to_open.clear()
        standby = self._standbys.pop(id_, None)
        self._has_changed = self._has_changed or standby is not None
        return None if standby is None else standby.task

    def close(self) -> None:
        """Write and let go of all."""
        for id_ in list(self._standbys):
            self._drop(id_)
        self._reader.close()
        self._committed.close()
        self._meeting.claim_standby({})

    def _look(self, active: Collection[TaskId]) -> None:
        """See which tasks are to be kept here, and tell how far those are that are."""
        candidates = [member.name for member in self._meeting.live() if member.claim.is_standby]
        others = [id_ for id_ in self._all if id_ not in active and id_ not in self._given_up]
        wanted = standbys_for(
            self._meeting.name, others, self._owner_of, candidates, self._replicas, self._standbys.keys()
        )
        for id_ in self._standbys.keys() - set(wanted):
            self._drop(id_)
        self._to_open = deque(id_ for id_ in wanted if id_ not in self._standbys)
        self._meeting.claim_standby({id_: self._behind(id_) for id_ in self._standbys})

    def _write(self) -> None:
        if time.monotonic() - self._written_at > self._write_interval_s:
            self._written_at = time.monotonic()
            for standby in self._standbys.values():
                standby.task.write()

    def _owner_of(self, id_: TaskId) -> str | None:
        owner = self._meeting.owner(id_)
        return None if owner is None else owner.name

    def _behind(self, id_: TaskId) -> int | None:
        standby, partition = self._standbys[id_], id_[1]
        return standby.behind(self._ends(standby, partition), self._committed_of(standby, partition))

    def _ends(self, standby: Standby, partition: int) -> dict[str, int]:
        """Where topics end as the last fetch told."""
        ends = {}
        for topic in standby.positions:
            _, end = self._reader.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            if end != OFFSET_INVALID:
                ends[topic] = end
        return ends

    def _committed_of(self, standby: Standby, partition: int) -> dict[str, int]:
        known = self._committed.known
        return {topic: known[topic, partition] for topic in standby.task.consumed if (topic, partition) in known}

    def _open(self, id_: TaskId) -> None:
        try:
            task = self._open_task(id_)
        except Exception as error:
            self._give_up(id_, error)
        else:
            self._standbys[id_] = Standby(task)
            self._has_changed = True

    def _drop(self, id_: TaskId) -> None:
        self._standbys.pop(id_).task.close()
        self._has_changed = True

    def _give_up(self, id_: TaskId, error: Exception) -> None:
        self._given_up.add(id_)
        log.warning(
            "no standby is kept", application=self._plan.application, task=f"{id_[0]}-{id_[1]}", reason=repr(error)
        )

    def _assign(self) -> None:
        """Read on where the standbys are."""
        positions: dict[Source, int] = {}
        self._readers, self._paused, self._has_changed = {}, set(), False
        for id_, standby in self._standbys.items():
            for topic, position in standby.positions.items():
                source = (topic, id_[1])
                self._readers.setdefault(source, []).append(id_)
                positions[source] = min(position, positions.get(source, position))
        self._reader.assign([TopicPartition(*source, start or OFFSET_BEGINNING) for source, start in positions.items()])

    def _fold(self, records: list[Record]) -> None:
        runs: dict[Source, list[Record]] = {}
        for record in records:
            source, error = (record.topic(), record.partition()), record.error()
            if error is None:
                runs.setdefault(source, []).append(record)
            elif error.code() == KafkaError._PARTITION_EOF:
                for id_ in self._readers.get(source, ()):
                    self._standbys[id_].reach(source[0], record.offset())
        of_task: dict[TaskId, list[tuple[str, list[Record]]]] = {}
        for source, run in runs.items():
            for id_ in self._readers.get(source, ()):
                of_task.setdefault(id_, []).append((source[0], run))
        self._committed.update(
            [(topic, id_[1]) for id_, each in self._standbys.items() for topic in each.task.consumed]
        )
        for id_ in [id_ for id_, each in self._standbys.items() if id_ in of_task or each.is_waiting]:
            self._fold_into(id_, of_task.get(id_, []))

    def _fold_into(self, id_: TaskId, runs: list[tuple[str, list[Record]]]) -> None:
        standby = self._standbys[id_]
        mark = len(self._outbox.outputs)
        try:
            for topic, run in runs:
                standby.add(topic, run)
            standby.commit(self._committed_of(standby, id_[1]))
        except Exception as error:
            self._give_up(id_, error)
            self._drop(id_)
        finally:
            # Dead letters are sent, and counted, by who works on the task.
            del self._outbox.outputs[mark:]
            standby.task.counters.rollback()
        for topic in standby.task.consumed:
            self._balance((topic, id_[1]), standby.waiting(topic))

    def _balance(self, source: Source, waiting: int) -> None:
        """Stop reading what is too far ahead of what the group has committed, until it is not."""
        if waiting > MAX_WAITING and source not in self._paused:
            self._reader.pause([TopicPartition(*source)])
            self._paused.add(source)
        elif waiting <= MAX_WAITING // 2 and source in self._paused:
            self._reader.resume([TopicPartition(*source)])
            self._paused.discard(source)
