"""What the tasks are fed with: batches of records, tables before streams, none of a former assignment."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, TopicPartition

from tailrace.client import ConsumerFenced, Record, consume
from tailrace.streams.assignment import Assignment
from tailrace.streams.plan import Plan
from tailrace.streams.table_progress import Source

log = structlog.get_logger("tailrace.streams")

# Longer than an ordinary transaction that writes to a table's topic, and shorter than what makes people impatient.
TABLE_WAIT_S = 1.0

# A batch's records by topic and partition.
Runs = dict[Source, list[Record]]
RebalanceCallback = Callable[[list[TopicPartition]], None]


class Feed:
    """The consumer of a worker, read in a way that a rebalance in the middle neither repeats nor skips a record."""

    def __init__(self, consumer: Consumer, plan: Plan, assignment: Assignment, max_batch: int) -> None:
        self._consumer = consumer
        self._topics = list(plan.of_topic)
        self._tables = plan.tables
        self._plan = plan
        self._assignment = assignment
        self._max_batch = max_batch
        self._rebalances = 0
        self._failure: BaseException | None = None
        self._runs: Runs = {}
        # Whether the last poll took all that was there.
        self.is_drained = True

    def subscribe(self, on_assign: RebalanceCallback, on_revoke: RebalanceCallback, on_lost: RebalanceCallback) -> None:
        """Join the group; what a callback raises, the poll that called it raises."""
        self._consumer.subscribe(
            self._topics,
            on_assign=self._guarded(on_assign),
            on_revoke=self._guarded(on_revoke),
            on_lost=self._guarded(on_lost),
        )

    def poll(self, timeout_s: float) -> Runs:
        """Take what is there, waiting only for the first record; tables, caught up with their logs, come first.

        Raises ConsumerFenced when another member has this one's place.
        """
        self._runs = {}
        count = self._collect(self._read(1, timeout_s))
        if count:
            count += self._collect(self._read(self._max_batch - 1, 0))
        self.is_drained = count < self._max_batch
        tables = self._tables
        if tables and any(topic not in tables for topic, _ in self._runs):
            self._catch_up_tables()
        return dict(sorted(self._runs.items(), key=lambda run: run[0][0] not in tables))

    def _catch_up_tables(self) -> None:
        """Read on until each table has all that its topic had when its task's records were read, for a second at most.

        Whoever saw a table's record and then sent a request expects it to be seen here too, but the two come from
        different partitions, whose order among each other no broker promises.
        """
        deadline = time.monotonic() + TABLE_WAIT_S
        wanted = {(table, number) for topic, number in self._runs for table in self._plan.of_topic[topic].tables}
        ends: dict[Source, int] = {}
        while self._assignment.tables.lacks(self._consumer, wanted, ends) and time.monotonic() < deadline:
            self._collect(self._read(self._max_batch, 0.002))

    def _read(self, count: int, timeout_s: float) -> list[Record]:
        """Consume, and give up what was read so far when the assignment changed meanwhile.

        The call may then return records of the old assignment and of the new one, so reading begins anew.
        """
        before = self._rebalances
        records = consume(self._consumer, count, timeout_s)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        _check_place(records)
        if self._rebalances == before:
            return records
        self._runs.clear()
        if records and self._assignment.tasks:
            self._consumer.assign(self._assignment.positions())
        return []

    def _collect(self, records: Sequence[Record]) -> int:
        tables = self._assignment.tables
        for record in records:
            tables.note(record)
            error = record.error()
            if error is None:
                self._runs.setdefault((record.topic(), record.partition()), []).append(record)
            elif error.code() != KafkaError._PARTITION_EOF:
                log.info("consumer", error=error.str())
        return len(records)

    def _guarded(self, callback: RebalanceCallback) -> Callable[[Consumer, Any], None]:
        """Keep what a callback raises inside the client, where it would be lost."""

        def call(_: Consumer, partitions: list[TopicPartition]) -> None:
            self._rebalances += 1
            try:
                callback(partitions)
            except BaseException as failure:
                self._failure = failure

        return call


def _check_place(records: Sequence[Record]) -> None:
    """Raise ConsumerFenced when the member has lost its place.

    Even a lone static member is told so when it comes back after its session was given up. It is told once, often by
    the very call that also revokes its partitions; from then on its consumer gives nothing.
    """
    for record in records:
        error = record.error()
        if error is not None and (error.fatal() or error.code() == KafkaError._FATAL):
            raise ConsumerFenced(error.str())
