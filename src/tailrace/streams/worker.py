"""The worker: one life of a consumer, a transactional producer and the tasks between them."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from tailrace.client import (
    ConsumerMisplaced,
    ConsumerStalled,
    Fetching,
    Record,
    TransactionAborted,
    consumer,
)
from tailrace.clock import now_ms
from tailrace.streams.assignment import Assignment
from tailrace.streams.config import StreamsConfig
from tailrace.streams.feed import Feed, Run
from tailrace.streams.global_table import GlobalTables
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.lag import Lag
from tailrace.streams.member import new_member
from tailrace.streams.metrics.metrics import READY, Metrics
from tailrace.streams.opening import Opener
from tailrace.streams.planner import Planner
from tailrace.streams.standby.standbys import Standbys
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.divided_backend import open_backend
from tailrace.streams.state.table import TableStore
from tailrace.streams.takeover import Takeover
from tailrace.streams.task import Task
from tailrace.streams.transaction import Transaction

log = structlog.get_logger("tailrace.streams")

CLOCK_INTERVAL_S = 0.1
# Longer than a broker takes to begin again; of one that stays away longer another consumer gets no less.
STALLED_S = 45.0


class Worker:
    """Polls, processes and commits; see `tailrace.streams.runtime` for the order of things.

    `is_careful`: whether a transaction failed, perhaps because the cluster does not take one of its records. Then they
    are processed one at a time, and their outputs tried before they are sent, until one transaction is through.
    """

    def __init__(
        self,
        planner: Planner,
        config: StreamsConfig,
        stop: threading.Event,
        on_running: Callable[[], None],
        metrics: Metrics,
        meeting: Meeting | None = None,
        *,
        is_careful: bool = False,
    ) -> None:
        self._meeting = meeting
        self._planner = planner
        self._plan = plan = planner.plan
        self._config = config
        self._stop = stop
        self._on_running = on_running
        self._metrics = metrics
        self._counters = metrics.application
        self._transaction = Transaction(plan, config, metrics.application, stop.is_set, is_careful=is_careful)
        self._written_at = self._looked_at = time.monotonic()
        self._global_state = open_backend(config.state and config.state / "global", plan.in_memory(config.in_memory))
        self._globals = GlobalTables(
            plan.application,
            plan.global_tables,
            self._global_state,
            config.bootstrap_servers,
            planner.partitions,
        )
        self._fetching = Fetching()
        self._consumer = new_member(plan.application, config, self._fetching, tells_ends=plan.needs_ends)
        self._asker = self._consumer
        if plan.needs_ends:
            self._asker = consumer(config.bootstrap_servers, f"{plan.application}-ends")
        self._uncommitted = consumer(
            config.bootstrap_servers, f"{plan.application}-ends", isolation_level="read_uncommitted"
        )
        self._standbys: Standbys | None = None
        # Whether they have more to do at once.
        self._are_standbys_busy = False
        # Whether the first assignment is still to come, and whether the group is to be joined once more.
        self._is_new = True
        self._must_join_again = False
        self._follow_plan()

    def run(self) -> None:
        """Work until told to stop.

        Raises ProducerFenced, ConsumerFenced, ConsumerMisplaced, ConsumerStalled or BrokerUnreachable when all that is
        in memory has to be given up, InstanceUnreleased or GroupProtocolUnsupported when the group has not let it in.
        """
        try:
            self._metrics.attach(self)
            self._globals.catch_up(self._stop.is_set)
            self._join()
            while not self._stop.is_set():
                self._step()
            self._commit_or_undo()
        finally:
            self._close()

    def tasks(self) -> Collection[Task]:
        """The tasks that are here."""
        return self._assignment.tasks.values()

    def lags(self) -> dict[tuple[str, str], int]:
        """How far topics go beyond what was processed, by names of task and topic, as of the last second."""
        return self._lag.of_tasks()

    def global_tables(self) -> Mapping[str, TableStore[Any, Any]]:
        """The global tables that are here, by topic."""
        return self._globals.tables

    def global_state(self) -> Backend:
        """Where the global tables are kept."""
        return self._global_state

    def _follow_plan(self) -> None:
        """Make what depends on the plan."""
        self._plan, partitions = self._planner.plan, self._planner.partitions
        self._opener = Opener(
            self._plan,
            self._config.state,
            self._config.in_memory,
            self._transaction.outbox.outputs,
            self._globals.tables,
            self._uncommitted,
            self._metrics.of_task,
        )
        self._assignment = Assignment(
            self._plan,
            partitions,
            self._config.bootstrap_servers,
            self._uncommitted,
            self._open_task,
            self._stop.is_set,
        )
        if self._meeting is not None and self._config.standby_replicas:
            self._standbys = Standbys(
                self._plan, self._config, partitions, self._meeting, self._opener.open, self._transaction.outbox
            )
        self._lag = Lag(self._assignment)
        self._feed = Feed(self._consumer, self._asker, self._plan, self._assignment, self._config)
        self._takeover = Takeover(
            self._plan.application,
            self._config,
            self._consumer,
            self._feed,
            self._assignment,
            self._commit_or_undo,
            self._stop.is_set,
        )

    def _join(self) -> None:
        self._feed.subscribe(self._assigned, self._revoked, self._lost)

    def _join_again(self) -> None:
        """Commit, give everything back, and begin anew with the topics that there are now."""
        self._must_join_again = False
        self._commit_or_undo()
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
        timeout_s = 0.0 if self._transaction.is_open or self._are_standbys_busy else 0.1
        runs = self._feed.poll(timeout_s)
        if stalled := self._fetching.stalled(STALLED_S):
            raise ConsumerStalled(stalled, STALLED_S)
        self._transaction.poll()
        self._globals.update()
        try:
            self._process(runs)
            self._look_at_clock()
            self._lag.look(self._consumer)
            if self._is_commit_due():
                self._commit()
                self._transaction.is_careful = False
        except TransactionAborted as aborted:
            self._undo(aborted, runs)
        if time.monotonic() - self._written_at > self._config.write_interval_ms / 1000:
            self._assignment.write()
            self._written_at = time.monotonic()
        if self._standbys is not None:
            self._are_standbys_busy = self._standbys.keep_up(self._assignment.tasks)
        if not self._takeover.is_complete and self._takeover.go_on():
            self._tell()
        if self._must_join_again or self._planner.is_outdated():
            self._join_again()

    def _process(self, runs: list[Run]) -> None:
        transaction = self._transaction
        for (topic, partition), run in runs:
            task = self._assignment.task_of(topic, partition)
            if task is None:
                continue  # revoked while the batch was on its way
            if (offset := run[0].offset()) < (told := task.positions.get(topic, 0)):
                raise ConsumerMisplaced(topic, partition, offset, told)
            if topic in self._plan.tables:
                # All tables come first: what fails later does not keep them from being folded.
                task.update_table(topic, run)
                task.counters.folded.add(topic, run)
                if transaction.is_careful:
                    transaction.send(task, None)
            elif transaction.is_careful:
                self._process_carefully(task, topic, run)
            else:
                task.process(topic, run)
                transaction.cover(len(run))
                transaction.send(task, None)
        transaction.send_rest()

    def _process_carefully(self, task: Task, topic: str, run: list[Record]) -> None:
        """Process records one at a time, so that it is known which of them an output comes from."""
        for record in run:
            task.process(topic, [record])
            self._transaction.cover(1)
            self._transaction.send(task, record)
            if self._transaction.is_due:
                self._commit()

    def _open_task(self, id_: TaskId) -> Task:
        standby = None if self._standbys is None else self._standbys.take(id_)
        return standby or self._opener.open(id_)

    def _look_at_clock(self) -> None:
        if time.monotonic() - self._looked_at < CLOCK_INTERVAL_S:
            return
        self._looked_at = time.monotonic()
        for task in self._assignment.tasks.values():
            if task.on_clock(now_ms()):
                self._transaction.cover(0)
                self._transaction.send(task, None)

    def _is_commit_due(self) -> bool:
        transaction = self._transaction
        return transaction.is_open and (self._feed.is_drained or transaction.is_due or transaction.is_careful)

    def _commit(self) -> None:
        """Commit what was done, if anything was. Raises TransactionAborted."""
        if self._transaction.is_open:
            self._transaction.commit(self._assignment.tasks.values(), self._consumer.consumer_group_metadata)

    def _commit_or_undo(self) -> None:
        try:
            self._commit()
        except TransactionAborted as aborted:
            self._undo(aborted)

    def _undo(self, aborted: TransactionAborted, in_hand: Iterable[Run] = ()) -> None:
        """Go back to the last commit, and read again what was processed since then or is still `in_hand`."""
        log.warning("transaction aborted, its records are processed again", reason=str(aborted))
        self._transaction.is_careful |= aborted.may_be_refusal
        # What the clock made due is due again in the next transaction, not in a later one that is not careful.
        self._looked_at = -CLOCK_INTERVAL_S
        sources = {(topic, task.partition) for task in self._assignment.tasks.values() for topic in task.rollback()}
        sources |= {
            source
            for source, _ in in_hand
            if source[0] not in self._plan.tables and self._assignment.task_of(*source) is not None
        }
        self._feed.rewind(sources)
        self._transaction.aborted()

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        self._counters.rebalances += 1
        self._takeover.take(partitions)
        self._must_join_again = self._assignment.has_grown or (self._is_new and self._is_of_another_plan(partitions))
        self._is_new = False
        self._tell()

    def _tell(self) -> None:
        """Say what is here, and whether all is that should be."""
        tasks = [f"{name}-{partition}" for name, partition in sorted(self._assignment.tasks)]
        log.info("assigned", application=self._plan.application, tasks=tasks)
        if self._takeover.is_complete:
            self._metrics.state = READY
            if self._meeting is not None:
                self._meeting.is_ready = True
            self._on_running()
        self._claim()

    def _is_of_another_plan(self, partitions: list[TopicPartition]) -> bool:
        """Whether an assignment may have been made before patterns meant all that they mean now.

        A static member that comes back gets the one that it had, whatever topics it wants by now, until the group
        rebalances; the group's leader has it do so by joining again.
        """
        assigned = {tp.topic for tp in partitions}
        return bool(self._plan.matches) and bool(assigned) and not assigned.issuperset(self._plan.of_topic)

    def _revoked(self, partitions: list[TopicPartition]) -> None:
        self._commit_or_undo()
        self._assignment.release((tp.topic, tp.partition) for tp in partitions)
        self._claim()

    def _lost(self, partitions: list[TopicPartition]) -> None:
        if self._transaction.is_open:
            self._transaction.abort()
        self._assignment.release()
        self._claim()

    def _claim(self) -> None:
        """Tell the other instances which tasks are here."""
        if self._meeting is not None:
            self._meeting.claim_active(self._assignment.tasks)

    def _close(self) -> None:
        # After a clean stop nothing is open. After a failure the tasks keep only what was committed.
        self._metrics.detach()
        self._transaction.close()
        self._consumer.close()
        if self._standbys is not None:
            self._standbys.close()
        if self._asker is not self._consumer:
            self._asker.close()
        self._uncommitted.close()
        self._assignment.release()
        self._claim()
        self._globals.close()
