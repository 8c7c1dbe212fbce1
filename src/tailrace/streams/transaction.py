"""The transactions of a worker: what its tasks write and how far they have read, one after the other."""

import time
from collections.abc import Callable, Collection
from typing import Any

from confluent_kafka import TopicPartition

from tailrace.client import Record, TransactionAborted, TransactionalProducer
from tailrace.clock import now_ms
from tailrace.streams.config import StreamsConfig
from tailrace.streams.errors import Unwritable
from tailrace.streams.metrics.counters import ApplicationCounters
from tailrace.streams.outbox import Outbox
from tailrace.streams.output import Output
from tailrace.streams.plan import Plan
from tailrace.streams.producers import Producers
from tailrace.streams.task import Task
from tailrace.streams.trial import Trial


class Transaction:
    """Begins with the first record that is processed, and again after each end.

    `is_careful`: whether a transaction failed, perhaps because the cluster does not take one of its records. Then
    outputs are tried before they are sent, until one transaction is through. `stopped`: whether to give up waiting for
    a broker.
    """

    def __init__(
        self,
        plan: Plan,
        config: StreamsConfig,
        counters: ApplicationCounters,
        stopped: Callable[[], bool],
        *,
        is_careful: bool,
    ) -> None:
        self._config = config
        self._transactional_id = f"{plan.application}-{config.instance}"
        self._counters = counters
        self._stopped = stopped
        self.is_careful = is_careful
        # When it began, and how many records it covers.
        self._begun_at: float | None = None
        self._records = 0
        self.outbox = Outbox(plan.topics if plan.chooses_topics else None)
        self._producers = Producers(self._new_producer, self._replaced)
        self._trial = Trial(self._producers.renew)
        # Outputs that were tried, and wait for their transaction.
        self._tried: list[Output] = []

    @property
    def is_open(self) -> bool:
        """Whether there is something to commit."""
        return self._begun_at is not None

    @property
    def is_due(self) -> bool:
        """Whether it has waited for long enough, or covers enough records."""
        assert self._begun_at is not None
        return (
            self._records >= self._config.max_records_per_commit
            or time.monotonic() - self._begun_at >= self._config.commit_interval_ms / 1000
        )

    def poll(self) -> None:
        """Let the clients do their work. Raises ProducerFenced."""
        self._producers.poll()

    def cover(self, records: int) -> None:
        """Begin, if nothing is open, with records that were processed."""
        self._records += records
        if self._begun_at is None:
            if not self.is_careful:
                self._begin()
            self._begun_at = time.monotonic()

    def send(self, task: Task, record: Record | None) -> None:
        """Hand on the outputs, which are those of a task; being careful, those of one record, or of none.

        Of what the cluster does not take the task's handler says what becomes of it. Raises TransactionAborted.
        """
        if self.is_careful:
            self._try_outputs(task, record)
        elif self.outbox:
            self._send()

    def send_rest(self) -> None:
        """Begin, if nothing is open, with what no record of a stream has caused, and hand it on. See `send`."""
        if self.outbox or self._tried:
            self.cover(0)
        if self.outbox:
            self._send()

    def commit(self, tasks: Collection[Task], group_metadata: Callable[[], Any]) -> None:
        """Commit outputs, changes of state and offsets, then have the tasks keep the state that they stand for.

        `group_metadata`: gives that of the consumer as it is when the offsets are sent. Raises TransactionAborted.
        """
        for task in tasks:
            task.flush()
            if self.is_careful:
                self._try_outputs(task, None)
        if self.is_careful:
            self._begin_after_trial()
        self._send()
        offsets = [
            TopicPartition(topic, task.partition, offset, metadata=task.time.encoded())
            for task in tasks
            for topic, offset in task.moved_positions().items()
        ]
        begun = time.monotonic()
        self._producers.current.send_offsets(offsets, group_metadata())
        self._producers.current.commit()
        self._counters.commits += 1
        self._counters.commit_seconds.observe(time.monotonic() - begun)
        committed_at = now_ms()
        for task in tasks:
            task.commit(self.outbox.ends)
            task.counters.commit(committed_at)
        self._end()

    def abort(self) -> None:
        """Abort what is open, which ends it as well when that fails."""
        try:
            if not self.is_careful:
                self._producers.current.abort()
        except TransactionAborted:
            pass
        self.aborted()

    def aborted(self) -> None:
        """Note that it was aborted, and forget what was in it."""
        self._counters.aborts += 1
        self._counters.rollbacks += 1
        self._trial.end()
        self._end()

    def close(self) -> None:
        """Let go of the producers. What is open is left to the next ones, which abort it."""
        self._begun_at = None
        self.outbox.clear()
        self._producers.close()

    def _begin(self) -> None:
        self._producers.current.begin()

    def _send(self) -> None:
        try:
            self.outbox.send(self._producers.current, one_by_one=self.is_careful)
        except Unwritable as unwritable:
            self._producers.current.abort()
            raise TransactionAborted(str(unwritable), may_be_refusal=True) from unwritable

    def _try_outputs(self, task: Task, record: Record | None) -> None:
        while outputs := self.outbox.take():
            for output in outputs:
                refusal = self._trial.refusal(output)
                if refusal is None:
                    self._tried.append(output)
                else:
                    task.failures.refused(record, output, refusal)

    def _begin_after_trial(self) -> None:
        self._trial.end()
        self._producers.renew()
        self._begin()
        self.outbox.outputs.extend(self._tried)
        self._tried.clear()

    def _end(self) -> None:
        self.outbox.clear()
        self._tried.clear()
        self._begun_at = None
        self._records = 0
        self._producers.next()

    def _replaced(self) -> None:
        self._counters.replaced_producers += 1

    def _new_producer(self, number: int) -> TransactionalProducer:
        return TransactionalProducer(
            self._config.bootstrap_servers,
            f"{self._transactional_id}-{number}",
            give_up=self._stopped,
            transaction_timeout_ms=self._config.transaction_timeout_ms,
            linger_ms=0,
        )
