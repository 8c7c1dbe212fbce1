"""What the tasks are fed with: batches of records, tables before streams, none of a former assignment."""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import Record, consume, ends, membership_ended
from tailrace.streams.assignment import Assignment
from tailrace.streams.config import StreamsConfig
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.ordering import TimedInputs
from tailrace.streams.plan import Plan
from tailrace.streams.progress import Source

log = structlog.get_logger("tailrace.streams")

# How long the worker does nothing else when a table is behind; what waits for it then waits on.
TABLE_WAIT_S = 1.0
# A broker that does not say where a topic ends is asked again.
ENDS_TIMEOUT_S = 0.5

# A source, and consecutive records of it.
Run = tuple[Source, list[Record]]
# Records, and what else a consumer gives: ends of partitions and errors.
Polled = tuple[list[Record], list[Record]]
RebalanceCallback = Callable[[list[TopicPartition]], None]


class Feed:
    """The consumer of a worker, read in a way that a rebalance in the middle neither repeats nor skips a record.

    `asker`: a client with connections of its own, which asks where topics end. On those of the consumer a question
    waits behind a fetch, and that waits for half a second where nothing comes.
    """

    def __init__(
        self, consumer: Consumer, asker: Consumer, plan: Plan, assignment: Assignment, config: StreamsConfig
    ) -> None:
        self._consumer = consumer
        self._asker = asker
        self._plan = plan
        self._assignment = assignment
        self._max_batch = config.max_batch
        self._max_task_idle_s = config.max_task_idle_ms / 1000
        # Whether a rebalance only says what comes and what goes.
        self._is_incremental = config.group_protocol == "consumer"
        # What the client reads, where rebalances are incremental.
        self._begun: set[Source] = set()
        self._rebalances = 0
        self._failure: BaseException | None = None
        self._runs: dict[Source, list[Record]] = {}
        # What was read of streams while tables were caught up with, or waits for tables that are not yet.
        self._ahead: Polled = [], []
        # Records that wait for earlier ones of their task's other topics, and sources that are not read meanwhile.
        self._timed: dict[TaskId, TimedInputs] = {}
        self._paused: set[Source] = set()
        # Since when tasks wait for a topic of which nothing is there, for as long as they are to.
        self._idle_since: dict[TaskId, float] = {}
        # Whether the last poll took all that was there.
        self.is_drained = True

    def subscribe(self, on_assign: RebalanceCallback, on_revoke: RebalanceCallback, on_lost: RebalanceCallback) -> None:
        """Join the group; what a callback raises, the poll that called it raises."""
        self._consumer.subscribe(
            list(self._plan.of_topic),
            on_assign=self._guarded(on_assign),
            on_revoke=self._guarded(on_revoke, self._let_go),
            on_lost=self._guarded(on_lost, self._let_go),
        )

    def acknowledge(self) -> None:
        """Take the partitions that an incremental rebalance gives, within it; they are read when they are begun."""
        self._consumer.incremental_assign([])

    def begin(self, sources: Collection[Source]) -> None:
        """Read partitions on, from where their tasks are: these too, or nothing but these where each rebalance gives
        all anew."""
        begun = [self._assignment.position(source) for source in sorted(sources)]
        if not self._is_incremental:
            self._consumer.assign(begun)
        elif begun:
            self._begun |= set(sources)
            self._consumer.incremental_assign(begun)

    def _let_go(self, partitions: Sequence[TopicPartition]) -> None:
        """Read partitions no longer; the client knows nothing of those that were not begun yet."""
        if self._is_incremental:
            gone = self._begun & {(tp.topic, tp.partition) for tp in partitions}
            self._begun -= gone
            self._consumer.incremental_unassign([TopicPartition(*source) for source in sorted(gone)])

    def poll(self, timeout_s: float) -> list[Run]:
        """Take what is there, waiting only for the first record; tables, caught up with their logs, come first, and
        what is joined comes in order of time.

        Raises ConsumerFenced when another member has this one's place, InstanceUnreleased and GroupProtocolUnsupported
        when it was not let in.
        """
        self._runs = {}
        ahead, self._ahead = self._ahead, ([], [])
        count = self._collect(ahead)
        count += self._collect(self._read(1, 0 if count else timeout_s))
        if 0 < count < self._max_batch:
            count += self._collect(self._read(self._max_batch - count, 0))
        has_tables = self._catch_up_tables()
        tables = [run for run in self._runs.items() if run[0][0] in self._plan.tables]
        streams = [run for run in self._runs.items() if run[0][0] not in self._plan.tables]
        if not has_tables:
            self._ahead[0][:0] = [record for _, records in streams for record in records]
            self.is_drained = False
            return tables
        runs = [*tables, *(run for run in streams if not self._is_timed(run[0])), *self._in_time_order(streams)]
        self.is_drained = count < self._max_batch and not any(self._timed.values()) and not self._ahead[0]
        return runs

    def rewind(self, sources: Iterable[Source]) -> None:
        """Read again from where the tasks of these sources are, and from where those records were that wait."""
        again = {*sources, *self._places(self._ahead)}
        self._ahead = [], []
        for (_, partition), inputs in self._timed.items():
            if inputs:
                again |= {(topic, partition) for topic in inputs.topics}
        for source in sorted(again):
            self._seek(source)
        self._forget()

    def _seek(self, source: Source) -> None:
        position = self._assignment.position(source)
        try:
            self._consumer.seek(position)
        except KafkaException as exception:
            # One that was just assigned, and not read yet, begins there anyway.
            if exception.args[0].code() != KafkaError._STATE:
                raise
        self._assignment.progress.restart(source, max(position.offset, 0))

    def _is_timed(self, source: Source) -> bool:
        return self._plan.of_topic[source[0]].is_timed

    def _in_time_order(self, streams: list[Run]) -> list[Run]:
        """Take those records of topics that are joined whose turn it is; the others wait."""
        for (topic, partition), records in streams:
            if self._is_timed((topic, partition)):
                task_id = self._assignment.id_of(topic, partition)
                if task_id not in self._timed:
                    self._timed[task_id] = TimedInputs(self._plan.of_topic[topic].timed_topics)
                self._timed[task_id].add(topic, records)
        runs: list[Run] = []
        known = self._ask_for_ends()
        for task_id, inputs in self._timed.items():
            partition = task_id[1]
            if inputs:
                taken = inputs.take(partial(self._is_behind, task_id, known))
                runs += [((topic, partition), records) for topic, records in taken]
                if taken:
                    self._idle_since.pop(task_id, None)
                self._balance(partition, inputs)
        return runs

    def _ask_for_ends(self) -> dict[Source, int]:
        """Where those topics end that tasks with records have to bring into order.

        What the client remembers of an end is of its last fetch, and the records at hand may be younger than that.
        """
        waiting = [(topic, id_[1]) for id_, inputs in self._timed.items() if inputs for topic in inputs.topics]
        return ends(self._asker, waiting, ENDS_TIMEOUT_S) if waiting else {}

    def _is_behind(self, task_id: TaskId, known: Mapping[Source, int], topic: str) -> bool:
        if self._assignment.progress.is_behind((topic, task_id[1]), known):
            return True
        if not self._max_task_idle_s:
            return False
        now = time.monotonic()
        return now - self._idle_since.setdefault(task_id, now) < self._max_task_idle_s

    def _balance(self, partition: int, inputs: TimedInputs) -> None:
        """Stop reading topics of which enough waits, so that the others catch up."""
        for topic in inputs.topics:
            source, waiting = (topic, partition), inputs.waiting(topic)
            if waiting > self._max_batch and source not in self._paused:
                self._consumer.pause([TopicPartition(*source)])
                self._paused.add(source)
            elif waiting <= self._max_batch // 2 and source in self._paused:
                self._consumer.resume([TopicPartition(*source)])
                self._paused.discard(source)

    def _forget(self) -> None:
        """Drop what waits; it is read again."""
        for task_id in list(self._timed):
            self._forget_task(task_id)

    def _forget_task(self, task_id: TaskId) -> None:
        self._idle_since.pop(task_id, None)
        if (inputs := self._timed.pop(task_id, None)) is not None:
            for source in {(topic, task_id[1]) for topic in inputs.topics} & self._paused:
                with contextlib.suppress(KafkaException):  # it may be assigned no longer
                    self._consumer.resume([TopicPartition(*source)])
                self._paused.discard(source)

    def _catch_up_tables(self) -> bool:
        """Read on until each table has all that its topic had when its task's records were read, and give whether it
        has; that may take longer than TABLE_WAIT_S.

        Whoever saw a table's record and then sent a request expects it to be seen here too, but the two come from
        different partitions, whose order among each other no broker promises. Requests that come meanwhile may have
        been sent after still later records of the table, so they wait for the next time.
        """
        deadline = time.monotonic() + TABLE_WAIT_S
        streams = [source for source in self._runs if source[0] not in self._plan.tables]
        wanted = {(table, number) for topic, number in streams for table in self._plan.of_topic[topic].tables}
        known = ends(self._asker, wanted, ENDS_TIMEOUT_S) if wanted else {}
        while self._is_any_behind(wanted, known):
            if time.monotonic() >= deadline:
                return False
            if unknown := wanted - known.keys():
                known |= ends(self._asker, unknown, ENDS_TIMEOUT_S)
            self._collect(self._of_tables(self._read(self._max_batch, 0.002)))
        return True

    def _of_tables(self, polled: Polled) -> Polled:
        """What was read of tables; the rest is kept for the next poll."""
        found: Polled = [], []
        for part, of_tables, ahead in zip(polled, found, self._ahead, strict=True):
            for each in part:
                (of_tables if each.topic() in self._plan.tables else ahead).append(each)
        return found

    def _is_any_behind(self, sources: Collection[Source], known: Mapping[Source, int]) -> bool:
        return any(self._assignment.progress.is_behind(source, known) for source in sources)

    def _read(self, count: int, timeout_s: float) -> Polled:
        """Consume, and give up what was read so far when the assignment changed meanwhile.

        The call may then return records of the old assignment and of the new one, so reading begins anew.
        """
        before = self._rebalances
        polled = consume(self._consumer, count, timeout_s)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        events = [each for each in polled if each.error() is not None]
        _check_place(events)
        if self._rebalances == before:
            return [each for each in polled if each.error() is None] if events else polled, events
        in_hand = {*self._runs, *self._places(self._ahead), *self._places((polled, []))}
        self._runs.clear()
        self._ahead = [], []
        if in_hand:
            self._begin_anew(in_hand)
        return [], []

    def _places(self, polled: Polled) -> set[Source]:
        """Where records and events are from; an error may be of no topic."""
        places = ((each.topic(), each.partition()) for part in polled for each in part)
        return {place for place in places if place[0] in self._plan.of_topic}

    def _begin_anew(self, in_hand: Collection[Source]) -> None:
        """Read again what was in hand when a rebalance came, of what is still here or has come back."""
        if not self._is_incremental:
            if self._assignment.tasks:
                self._consumer.assign(self._assignment.positions())
            return
        here = [source for source in in_hand if self._assignment.task_of(*source) is not None]
        tasks = {self._assignment.id_of(*source) for source in here}
        waiting = [(topic, id_[1]) for id_ in tasks if id_ in self._timed for topic in self._timed[id_].topics]
        for task_id in tasks:
            self._forget_task(task_id)
        for source in sorted({*here, *waiting}):
            self._seek(source)

    def _collect(self, polled: Polled) -> int:
        """Sort what was read by where it is from, and note how far that is."""
        records, events = polled
        progress, runs, sources = self._assignment.progress, self._runs, set()
        last: Source | None = None
        for record in records:
            source = record.topic(), record.partition()
            if source != last:
                last, run = source, runs.setdefault(source, [])
                sources.add(source)
            run.append(record)
        for source in sources:
            progress.read(source, runs[source][-1].offset() + 1)
        for event in events:
            error = event.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                progress.ended((event.topic(), event.partition()), event.offset())
            elif error is not None:
                log.info("consumer", error=error.str())
        return len(records) + len(events)

    def _guarded(
        self, callback: RebalanceCallback, at_last: RebalanceCallback = lambda partitions: None
    ) -> Callable[[Consumer, Any], None]:
        """Keep what a callback raises inside the client, where it would be lost."""

        def call(_: Consumer, partitions: list[TopicPartition]) -> None:
            self._rebalances += 1
            try:
                self._forget_what_goes(partitions)
                callback(partitions)
            except BaseException as failure:
                self._failure = failure
            at_last(partitions)

        return call

    def _forget_what_goes(self, partitions: Sequence[TopicPartition]) -> None:
        """Drop what waits of tasks that a rebalance is about: of all, unless it only says what comes and goes."""
        if self._is_incremental:
            for tp in partitions:
                self._forget_task(self._assignment.id_of(tp.topic, tp.partition))
        else:
            self._forget()


def _check_place(events: Sequence[Record]) -> None:
    """Raise when the member has lost its place, or did not get it.

    Even a lone static member is told so when it comes back after its session was given up. It is told once, often by
    the very call that also revokes its partitions; from then on its consumer gives nothing.
    """
    for event in events:
        error = event.error()
        if error is not None and (error.fatal() or error.code() == KafkaError._FATAL):
            raise membership_ended(error.str())
