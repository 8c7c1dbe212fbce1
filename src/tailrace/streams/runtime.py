"""The runtime: one consumer, one transactional producer, and the tasks of the partitions assigned to this process.

    poll a batch -> tasks process it -> outputs are produced -> offsets and commit, when the input is drained
    or at the latest after `commit_interval_ms`

Offsets, outputs and the journals of all state are one Kafka transaction. State is written to disk only after its
commit returned, with the journal offset in the same write: after a crash a store is behind, never ahead, and is caught
up. Whatever goes wrong with a transaction, the work since the last commit is undone and done again.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import (
    ProducerFenced,
    Record,
    TransactionAborted,
    TransactionalProducer,
    consume,
    consume_available,
    consumer,
    wait_for_topics,
)
from tailrace.streams.dead_letter import DEAD_LETTERS
from tailrace.streams.global_table import GlobalTables
from tailrace.streams.outbox import Outbox
from tailrace.streams.restore import restore
from tailrace.streams.state.backend import RocksBackend
from tailrace.streams.task import Task
from tailrace.streams.topology import Topology

log = structlog.get_logger("tailrace.streams")


@dataclass(frozen=True, slots=True)
class StreamsConfig:
    """How a topology runs.

    `state`: folder for state; only this instance uses it. `instance`: a stable name that no other running instance of
    the application has: it is the transactional id and the group's static member id, so that an instance that comes
    back takes over from its former self at once.
    """

    bootstrap_servers: str
    state: Path
    instance: str = "1"
    commit_interval_ms: int = 100
    max_batch: int = 2_000
    max_records_per_commit: int = 10_000
    write_interval_ms: int = 500
    session_timeout_ms: int = 10_000
    transaction_timeout_ms: int = 10_000
    topics_timeout_s: float = 60.0


def run(
    topology: Topology,
    config: StreamsConfig,
    stop: threading.Event,
    on_running: Callable[[], None] = lambda: None,
) -> None:
    """Run a topology until `stop` is set; `on_running` is called once it has its first assignment.

    Raises TopologyError for partition counts that do not fit, LookupError for missing topics, BrokerUnreachable, and
    whatever an operator raises: the caller ends the process then, and a new one does the work again.
    """
    partitions = wait_for_topics(config.bootstrap_servers, {*topology.topics(), DEAD_LETTERS}, config.topics_timeout_s)
    topology.check(partitions)
    while not stop.is_set():
        try:
            Worker(topology, config, partitions, stop, on_running).run()
        except ProducerFenced as fenced:
            log.warning("producer replaced, starting over from what is committed", reason=str(fenced))
            stop.wait(1.0)


class Worker:
    """One life of a consumer and a producer."""

    def __init__(
        self,
        topology: Topology,
        config: StreamsConfig,
        partitions: dict[str, int],
        stop: threading.Event,
        on_running: Callable[[], None],
    ) -> None:
        self._topology = topology
        self._config = config
        self._stop = stop
        self._on_running = on_running
        self._tasks: dict[int, Task] = {}
        # Next offset to read of every assigned partition, by topic and partition: tables' are compared with the log's
        # end before a stream's records are processed.
        self._table_positions: dict[tuple[str, int], int] = {}
        self._begun_at: float | None = None
        self._records = 0
        self._written_at = time.monotonic()
        self._failure: BaseException | None = None
        self._globals = GlobalTables(
            topology, RocksBackend(config.state / "global"), config.bootstrap_servers, partitions
        )
        self._outbox = Outbox()
        self._producer = self._new_producer()
        self._consumer = self._new_consumer()

    def run(self) -> None:
        """Work until told to stop. Raises ProducerFenced when all that is in memory has to be given up."""
        try:
            self._globals.catch_up(self._stop.is_set)
            self._consumer.subscribe(
                [*self._topology.sources, *self._topology.tables],
                on_assign=self._guarded(self._assigned),
                on_revoke=self._guarded(self._revoked),
                on_lost=self._guarded(self._lost),
            )
            while not self._stop.is_set():
                self._step()
            self._commit()
        finally:
            self._close()

    def _step(self) -> None:
        messages = self._poll()
        self._globals.update()
        records = self._sorted(messages)
        self._process(records)
        drained = len(messages) < self._config.max_batch
        if self._begun_at is not None and (drained or self._is_commit_due()):
            self._commit()
        if time.monotonic() - self._written_at > self._config.write_interval_ms / 1000:
            self._write()

    def _poll(self) -> list[Record]:
        # While a transaction is open there is no waiting: what is not there yet does not hold up the commit.
        timeout_s = 0.1 if self._begun_at is None else 0.0
        messages = consume_available(self._consumer, self._config.max_batch, timeout_s)
        self._raise_failure()
        self._producer.poll(0)
        return messages

    def _sorted(self, messages: list[Record]) -> dict[tuple[str, int], list[Record]]:
        """Split into runs of one partition; tables, caught up with what the log had, come before streams."""
        runs: dict[tuple[str, int], list[Record]] = {}
        self._collect(messages, runs)
        if self._topology.tables and any(topic in self._topology.sources for topic, _ in runs):
            self._catch_up_tables(runs)
        tables = self._topology.tables
        return dict(sorted(runs.items(), key=lambda run: run[0][0] not in tables))

    def _catch_up_tables(self, runs: dict[tuple[str, int], list[Record]]) -> None:
        """Read on until each table has all that its topic had when its task's records were read, for 50 ms at most.

        Whoever saw a table's record and then sent a request expects it to be seen here too, but the two come from
        different partitions, whose order among each other no broker promises.
        """
        deadline = time.monotonic() + 0.05
        while self._has_lagging_table({partition for _, partition in runs}) and time.monotonic() < deadline:
            self._collect(consume(self._consumer, self._config.max_batch, 0.002), runs)
            self._raise_failure()

    def _has_lagging_table(self, partitions: set[int]) -> bool:
        for (topic, partition), position in self._table_positions.items():
            if partition in partitions:
                _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
                if position < end:
                    return True
        return False

    def _collect(self, messages: list[Record], runs: dict[tuple[str, int], list[Record]]) -> None:
        positions = self._table_positions
        for message in messages:
            partition = (message.topic(), message.partition())
            error = message.error()
            if error is None:
                runs.setdefault(partition, []).append(message)
                if partition in positions:
                    positions[partition] = message.offset() + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                if partition in positions:
                    positions[partition] = max(positions[partition], message.offset())
            elif error.fatal() or error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED,):
                raise KafkaException(error)
            elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
                log.warning("consumer", error=error.str())

    def _process(self, runs: dict[tuple[str, int], list[Record]]) -> None:
        for (topic, partition), run in runs.items():
            task = self._tasks.get(partition)
            if task is None:
                continue  # revoked while the batch was on its way
            if topic in self._topology.tables:
                task.update_table(topic, run)
                if not self._outbox:
                    continue
            else:
                task.process(topic, run)
                self._records += len(run)
            self._begin()
            self._outbox.send(self._producer)

    def _begin(self) -> None:
        if self._begun_at is None:
            self._producer.begin()
            self._begun_at = time.monotonic()

    def _is_commit_due(self) -> bool:
        assert self._begun_at is not None
        return (
            self._records >= self._config.max_records_per_commit
            or time.monotonic() - self._begun_at >= self._config.commit_interval_ms / 1000
        )

    def _commit(self) -> None:
        if self._begun_at is None:
            return
        offsets = [
            TopicPartition(topic, task.partition, offset)
            for task in self._tasks.values()
            for topic, offset in task.positions.items()
            if offset != task.committed_positions.get(topic)
        ]
        try:
            self._producer.send_offsets(offsets, self._consumer.consumer_group_metadata())
            self._producer.commit()
        except TransactionAborted as aborted:
            log.warning("transaction aborted, its records are processed again", reason=str(aborted))
            self._rollback()
        else:
            for task in self._tasks.values():
                task.commit(self._outbox.ends)
        self._end_transaction()

    def _rollback(self) -> None:
        for task in self._tasks.values():
            changed = task.positions.keys() - task.committed_positions.keys() | {
                topic for topic, offset in task.positions.items() if offset != task.committed_positions.get(topic)
            }
            task.rollback()
            for topic in changed:
                offset = task.committed_positions.get(topic, OFFSET_BEGINNING)
                self._consumer.seek(TopicPartition(topic, task.partition, offset))

    def _end_transaction(self) -> None:
        self._outbox.clear()
        self._begun_at = None
        self._records = 0
        if self._producer.must_be_replaced:
            log.warning("an EndTxn was sent twice; the producer is replaced so that the stray one is fenced")
            self._producer.close()
            self._producer = self._new_producer()

    def _write(self) -> None:
        for task in self._tasks.values():
            task.write()
        self._written_at = time.monotonic()

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        # Waits until no open transaction holds offsets of these partitions, so a predecessor's work is decided first.
        sources = [tp for tp in partitions if tp.topic in self._topology.sources]
        committed = {(tp.topic, tp.partition): tp.offset for tp in self._committed(sources)}
        for partition in sorted({tp.partition for tp in partitions}):
            if partition not in self._tasks:
                self._tasks[partition] = self._open_task(partition)
        folded = restore(self._tasks, self._config.bootstrap_servers, self._topology.name, self._stop.is_set)
        self._table_positions = {tp: offset for tp, offset in folded.items() if tp[0] in self._topology.tables}
        for (topic, partition), offset in committed.items():
            if offset >= 0:
                self._tasks[partition].committed_positions[topic] = offset
        for task in self._tasks.values():
            task.positions = dict(task.committed_positions)
        starts = {**self._table_positions, **committed}
        self._consumer.assign(
            [
                TopicPartition(topic, partition, offset if offset > 0 else OFFSET_BEGINNING)
                for (topic, partition), offset in starts.items()
            ]
        )
        log.info("assigned", application=self._topology.name, partitions=sorted(self._tasks))
        self._on_running()

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        while True:
            try:
                committed: list[TopicPartition] = self._consumer.committed(partitions, timeout=10.0)
                return committed
            except KafkaException as exception:
                if self._stop.is_set() or not exception.args[0].retriable():
                    raise
                log.info("waiting for committed offsets", reason=exception.args[0].str())

    def _revoked(self, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._release()

    def _lost(self, partitions: list[TopicPartition]) -> None:
        if self._begun_at is not None:
            self._abort()
        self._release()

    def _abort(self) -> None:
        with contextlib.suppress(TransactionAborted):
            self._producer.abort()
        self._end_transaction()

    def _release(self) -> None:
        for task in self._tasks.values():
            task.close()
        self._tasks = {}
        self._table_positions = {}

    def _open_task(self, partition: int) -> Task:
        folder = self._config.state / str(partition)
        task = self._new_task(partition, folder)
        if self._is_ahead(task):
            log.warning("state is of other topics than these and is rebuilt", folder=str(folder))
            task.close()
            shutil.rmtree(folder)
            task = self._new_task(partition, folder)
        return task

    def _new_task(self, partition: int, folder: Path) -> Task:
        return Task(self._topology, partition, RocksBackend(folder), self._outbox.append, self._globals.tables)

    def _is_ahead(self, task: Task) -> bool:
        """Whether state goes further than its topics do: they were deleted and made anew."""
        return any(
            offset > self._consumer.get_watermark_offsets(TopicPartition(topic, task.partition), timeout=30)[1]
            for topic, offset in task.folded.items()
            if offset > 0
        )

    def _guarded(self, callback: Callable[[list[TopicPartition]], None]) -> Callable[[Consumer, Any], None]:
        # An exception inside a client's callback is kept and raised by the loop, where it is handled as any other.
        def call(_: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(partitions)
            except BaseException as failure:
                self._failure = failure

        return call

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _close(self) -> None:
        # Nothing is open here after a clean stop; after a failure the transaction is left to be aborted by the next
        # producer of this transactional id, and state keeps only what was committed.
        self._end_quietly()
        self._release()
        self._globals.close()

    def _end_quietly(self) -> None:
        self._begun_at = None
        self._outbox.clear()
        self._producer.close()
        self._consumer.close()

    def _new_producer(self) -> TransactionalProducer:
        return TransactionalProducer(
            self._config.bootstrap_servers,
            f"{self._topology.name}-{self._config.instance}",
            transaction_timeout_ms=self._config.transaction_timeout_ms,
            linger_ms=1,
        )

    def _new_consumer(self) -> Consumer:
        return consumer(
            self._config.bootstrap_servers,
            self._topology.name,
            group_instance_id=f"{self._topology.name}-{self._config.instance}",
            partition_assignment_strategy="range",
            session_timeout_ms=self._config.session_timeout_ms,
            enable_partition_eof=bool(self._topology.tables),
        )
