"""Runs a source task: from the task, through transforms and converters, into topics, exactly once.

The records of a poll and the offset after them are one Kafka transaction (KIP-618, `transaction.boundary=poll`). A
task begins by fencing its predecessor, which also ends that one's open transaction, and only then reads the offsets.
"""

from collections.abc import Sequence
from threading import Event
from typing import Any, TypeAlias

import structlog

from tailrace.client import Topic, TransactionalProducer, admin, ensure_topics
from tailrace.connect.connector import ConnectorConfig, SourceTask
from tailrace.connect.converters import make_converter
from tailrace.connect.errors import ConnectError, DataError
from tailrace.connect.framework import overrides
from tailrace.connect.offsets import offset_key, offset_value, read_offsets
from tailrace.connect.outage import GivenUp, Outage
from tailrace.connect.record import Offset, Record
from tailrace.connect.transforms.chain import make_chain

Encoded: TypeAlias = tuple[Record, bytes | None, bytes | None]
"""A record with the bytes of its key and value."""

log = structlog.get_logger(__name__)


class SourceRunner:
    """One task of a source connector, in one thread."""

    def __init__(
        self,
        config: ConnectorConfig,
        task_id: int,
        task: SourceTask,
        bootstrap_servers: str,
        registry: Any,
        offsets_topic: str,
    ) -> None:
        self._config = config
        self._settings = config.settings
        self._task = task
        self._task_name = f"{config.name}-{task_id}"
        self._bootstrap_servers = bootstrap_servers
        self._offsets_topic = offsets_topic
        self._key_converter = make_converter("key", config.options, registry)
        self._value_converter = make_converter("value", config.options, registry)
        self._transforms = make_chain(config.options)
        self._outage = Outage(self._task_name, self._settings["retry.backoff.ms"], self._settings["max.retries"])
        self._topics: set[str] = set()

    @property
    def trace(self) -> str | None:
        """What the task waits for, None while it works."""
        return self._outage.trace

    def run(self, stop: Event) -> None:
        """Move records until told to stop. Raises what cannot be waited out."""

        def pause(seconds: float) -> bool:
            return not stop.wait(seconds)

        producer = self._make_producer(stop)
        try:
            stored = read_offsets(self._bootstrap_servers, self._offsets_topic, self._config.name)
            self._outage.patiently(lambda: self._task.start(stored.read), pause)
            while not stop.is_set():
                batch = self._outage.patiently(self._task.poll, pause)
                if batch.records or batch.offsets:
                    records = self._transformed(batch.records)
                    encoded = self._outage.patiently(lambda: self._encoded(records), pause)  # noqa: B023
                    self._write(producer, encoded, batch.offsets)
                if producer.must_be_replaced:
                    producer.close()
                    producer = self._make_producer(stop)
                if not batch.more:
                    stop.wait(self._settings["poll.interval.ms"] / 1000)
        except GivenUp:
            log.info("stopped while waiting", task=self._task_name)
        finally:
            producer.close()
            self._task.stop()

    def _make_producer(self, stop: Event) -> TransactionalProducer:
        settings: dict[str, Any] = dict(overrides(self._config, "producer"))
        return TransactionalProducer(
            self._bootstrap_servers, f"connect-{self._task_name}", give_up=stop.is_set, **settings
        )

    def _transformed(self, records: Sequence[Record]) -> list[Record]:
        kept = []
        for record in records:
            try:
                transformed = self._transforms(record)
            except DataError as error:
                self._pass_over(record, "TRANSFORMATION", error)
            else:
                if transformed is not None:
                    kept.append(transformed)
        return kept

    def _encoded(self, records: Sequence[Record]) -> list[Encoded]:
        encoded = []
        for record in records:
            try:
                key = self._key_converter.encode(record.topic, record.key, None)
                value = self._value_converter.encode(record.topic, record.value, record.schema)
            except DataError as error:
                self._pass_over(record, "VALUE_CONVERTER", error)
            else:
                encoded.append((record, key, value))
        return encoded

    def _write(
        self, producer: TransactionalProducer, encoded: Sequence[Encoded], offsets: Sequence[tuple[Offset, Offset]]
    ) -> None:
        self._create_topics({record.topic for record, _, _ in encoded})
        producer.begin()
        for record, key, value in encoded:
            _produce(producer, topic=record.topic, key=key, value=value, timestamp=record.timestamp_ms or 0)
        for partition, offset in offsets:
            key = offset_key(self._config.name, partition)
            _produce(producer, topic=self._offsets_topic, key=key, value=offset_value(offset))
        producer.commit()

    def _create_topics(self, topics: set[str]) -> None:
        missing = topics - self._topics
        if missing:
            missing -= admin(self._bootstrap_servers).list_topics(timeout=30).topics.keys()
        if missing:
            partitions: int | None = self._settings["topic.creation.default.partitions"]
            if partitions is None:
                raise ConnectError(
                    f"topic {', '.join(sorted(missing))} does not exist; create it, or set"
                    " topic.creation.default.partitions"
                )
            ensure_topics(self._bootstrap_servers, [Topic(name, partitions) for name in missing])
        self._topics |= topics

    def _pass_over(self, record: Record, stage: str, error: Exception) -> None:
        if self._settings["errors.tolerance"] == "none":
            raise ConnectError(
                f"a record for {record.topic} cannot be used ({stage}): {error};"
                " mend the cause, or set errors.tolerance=all"
            ) from error
        log.warning("record passed over", task=self._task_name, topic=record.topic, stage=stage, error=str(error))


def _produce(producer: TransactionalProducer, **record: Any) -> None:
    """Hand a record to librdkafka, waiting while its queue is full."""
    while True:
        try:
            producer.produce(**record)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)
