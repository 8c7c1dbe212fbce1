"""The worker: one life of a consumer, a transactional producer and the tasks between them."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

import structlog
from confluent_kafka import Consumer, TopicPartition

from tailrace.client import TransactionAborted, TransactionalProducer, consumer
from tailrace.clock import now_ms
from tailrace.streams.assignment import Assignment
from tailrace.streams.config import StreamsConfig
from tailrace.streams.feed import Feed, Run
from tailrace.streams.global_table import GlobalTables
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.opening import Opener
from tailrace.streams.outbox import Outbox
from tailrace.streams.planner import Planner
from tailrace.streams.standby.standbys import Standbys
from tailrace.streams.state.backend import open_backend
from tailrace.streams.task import Task

log = structlog.get_logger("tailrace.streams")

CLOCK_INTERVAL_S = 0.1
# After its end a transaction's markers are still being written for a moment. Apache Kafka refuses to begin the next one
# meanwhile, and librdkafka asks again only after 20 ms.
MARKERS_S = 0.002


class Worker:
    """Polls, processes and commits; see `tailrace.streams.runtime` for the order of things."""

    def __init__(
        self,
        planner: Planner,
        config: StreamsConfig,
        stop: threading.Event,
        on_running: Callable[[], None],
        meeting: Meeting | None = None,
    ) -> None:
        self._meeting = meeting
        self._planner = planner
        self._plan = plan = planner.plan
        self._config = config
        self._stop = stop
        self._on_running = on_running
        # When the open transaction began, and how many records it covers.
        self._begun_at: float | None = None
        self._ended_at = 0.0
        self._records = 0
        self._written_at = self._looked_at = time.monotonic()
        self._outbox = Outbox()
        self._producer = self._new_producer()
        self._globals = GlobalTables(
            plan.application,
            plan.global_tables,
            open_backend(config.state and config.state / "global"),
            config.bootstrap_servers,
            planner.partitions,
        )
        self._consumer = self._new_consumer()
        self._asker = self._consumer
        if plan.needs_ends or config.standby_replicas:
            self._asker = consumer(config.bootstrap_servers, f"{plan.application}-ends")
        self._standbys: Standbys | None = None
        # Whether they have more to do at once.
        self._are_standbys_busy = False
        # Whether the first assignment is still to come, and whether the group is to be joined once more.
        self._is_new = True
        self._must_join_again = False
        self._follow_plan()

    def run(self) -> None:
        """Work until told to stop.

        Raises ProducerFenced or ConsumerFenced when all that is in memory has to be given up.
        """
        try:
            self._globals.catch_up(self._stop.is_set)
            self._join()
            while not self._stop.is_set():
                self._step()
            self._commit()
        finally:
            self._close()

    def tasks(self) -> Collection[Task]:
        """The tasks that are here."""
        return self._assignment.tasks.values()

    def _follow_plan(self) -> None:
        """Make what depends on the plan."""
        self._plan, partitions = self._planner.plan, self._planner.partitions
        self._opener = Opener(self._plan, self._config.state, self._outbox.outputs, self._globals.tables)
        self._assignment = Assignment(
            self._plan, partitions, self._config.bootstrap_servers, self._open_task, self._stop.is_set
        )
        if self._meeting is not None and self._config.standby_replicas:
            open_standby = partial(self._opener.open, self._asker)
            self._standbys = Standbys(self._plan, self._config, partitions, self._meeting, open_standby, self._outbox)
        self._feed = Feed(self._consumer, self._asker, self._plan, self._assignment, self._config)

    def _join(self) -> None:
        self._feed.subscribe(self._assigned, self._revoked, self._lost)

    def _join_again(self) -> None:
        """Commit, give everything back, and begin anew with the topics that there are now."""
        self._must_join_again = False
        self._commit()
        self._consumer.unsubscribe()
        while self._assignment.owns_any and not self._stop.is_set():
            self._feed.poll(0.1)  # calls back; what it reads is read again
        if self._stop.is_set():
            return
        if self._standbys is not None:
            self._standbys.close()
            self._standbys = None
        self._planner.renew()
        self._follow_plan()
        log.info("starting over with other topics", application=self._plan.application, topics=[*self._plan.of_topic])
        self._join()

    def _step(self) -> None:
        # While a transaction is open there is no waiting: what is not there yet does not hold up the commit.
        timeout_s = 0.1 if self._begun_at is None and not self._are_standbys_busy else 0.0
        runs = self._feed.poll(timeout_s)
        self._producer.poll(0)
        self._globals.update()
        self._process(runs)
        self._look_at_clock()
        if self._begun_at is not None and (self._feed.is_drained or self._is_commit_due()):
            self._commit()
        if time.monotonic() - self._written_at > self._config.write_interval_ms / 1000:
            self._assignment.write()
            self._written_at = time.monotonic()
        if self._standbys is not None:
            self._are_standbys_busy = self._standbys.keep_up(self._assignment.tasks)
        if self._must_join_again or self._planner.is_outdated():
            self._join_again()

    def _process(self, runs: list[Run]) -> None:
        for (topic, partition), run in runs:
            task = self._assignment.task_of(topic, partition)
            if task is None:
                continue  # revoked while the batch was on its way
            if topic in self._plan.tables:
                task.update_table(topic, run)
                if not self._outbox:
                    continue
            else:
                task.process(topic, run)
                self._records += len(run)
            self._begin()
            self._outbox.send(self._producer)

    def _open_task(self, id_: TaskId) -> Task:
        standby = None if self._standbys is None else self._standbys.take(id_)
        return standby or self._opener.open(self._asker, id_)

    def _look_at_clock(self) -> None:
        if time.monotonic() - self._looked_at < CLOCK_INTERVAL_S:
            return
        self._looked_at = time.monotonic()
        for task in self._assignment.tasks.values():
            if task.on_clock(now_ms()):
                self._begin()
                self._outbox.send(self._producer)

    def _begin(self) -> None:
        if self._begun_at is None:
            time.sleep(max(0.0, self._ended_at + MARKERS_S - time.monotonic()))
            self._producer.begin()
            self._begun_at = time.monotonic()

    def _is_commit_due(self) -> bool:
        assert self._begun_at is not None
        return (
            self._records >= self._config.max_records_per_commit
            or time.monotonic() - self._begun_at >= self._config.commit_interval_ms / 1000
        )

    def _commit(self) -> None:
        """Commit outputs, journals and offsets in one transaction, then keep the state that they stand for."""
        if self._begun_at is None:
            return
        tasks = self._assignment.tasks.values()
        for task in tasks:
            task.flush()
        self._outbox.send(self._producer)
        offsets = [
            TopicPartition(topic, task.partition, offset, metadata=task.time.encoded())
            for task in tasks
            for topic, offset in task.moved_positions().items()
        ]
        try:
            self._producer.send_offsets(offsets, self._consumer.consumer_group_metadata())
            self._producer.commit()
        except TransactionAborted as aborted:
            log.warning("transaction aborted, its records are processed again", reason=str(aborted))
            self._rollback()
        else:
            for task in tasks:
                task.commit(self._outbox.ends)
        self._end_transaction()

    def _rollback(self) -> None:
        self._feed.rewind(
            [(topic, task.partition) for task in self._assignment.tasks.values() for topic in task.rollback()]
        )

    def _end_transaction(self) -> None:
        self._outbox.clear()
        self._begun_at = None
        self._ended_at = time.monotonic()
        self._records = 0
        if self._producer.must_be_replaced:
            log.warning("an EndTxn was sent twice; the producer is replaced so that the stray one is fenced")
            self._producer.close()
            self._producer = self._new_producer()

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        """Take partitions over: all that are owned from now on, or those in addition (KIP-848)."""
        sources = self._assignment.open(self._consumer, [(tp.topic, tp.partition) for tp in partitions])
        self._feed.assign(partitions, sources)
        self._must_join_again = self._is_new and self._is_of_another_plan(partitions)
        self._is_new = False
        if self._meeting is not None:
            self._meeting.is_ready = True
        self._claim()
        self._on_running()

    def _is_of_another_plan(self, partitions: list[TopicPartition]) -> bool:
        """Whether an assignment may have been made before patterns meant all that they mean now.

        A static member that comes back gets the one that it had, whatever topics it wants by now, until the group
        rebalances; the group's leader has it do so by joining again.
        """
        assigned = {tp.topic for tp in partitions}
        return bool(self._plan.matches) and bool(assigned) and not assigned.issuperset(self._plan.of_topic)

    def _revoked(self, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._assignment.release((tp.topic, tp.partition) for tp in partitions)
        self._claim()

    def _lost(self, partitions: list[TopicPartition]) -> None:
        if self._begun_at is not None:
            with contextlib.suppress(TransactionAborted):
                self._producer.abort()
            self._end_transaction()
        self._assignment.release()
        self._claim()

    def _claim(self) -> None:
        """Tell the other instances which tasks are here."""
        if self._meeting is not None:
            self._meeting.claim_active(self._assignment.tasks)

    def _close(self) -> None:
        # After a clean stop nothing is open. After a failure the transaction is left to the next producer of this
        # transactional id, which aborts it, and the tasks keep only what was committed.
        self._begun_at = None
        self._outbox.clear()
        self._producer.close()
        self._consumer.close()
        if self._standbys is not None:
            self._standbys.close()
        if self._asker is not self._consumer:
            self._asker.close()
        self._assignment.release()
        self._claim()
        self._globals.close()

    def _new_producer(self) -> TransactionalProducer:
        return TransactionalProducer(
            self._config.bootstrap_servers,
            f"{self._plan.application}-{self._config.instance}",
            give_up=self._stop.is_set,
            transaction_timeout_ms=self._config.transaction_timeout_ms,
            linger_ms=0,
        )

    def _new_consumer(self) -> Consumer:
        membership: dict[str, object] = {
            "group_instance_id": f"{self._plan.application}-{self._config.instance}",
            "partition_assignment_strategy": "range",
            "session_timeout_ms": self._config.session_timeout_ms,
        }
        if self._config.group_protocol == "consumer":
            # Of no fixed identity: a place that a killed member has would not be free until its session ends.
            membership = {"group_protocol": "consumer", "group_remote_assignor": "range"}
        return consumer(
            self._config.bootstrap_servers,
            self._plan.application,
            enable_partition_eof=self._plan.needs_ends,
            **membership,
        )
