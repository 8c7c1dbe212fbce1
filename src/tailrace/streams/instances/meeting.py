"""The meeting of the instances: each writes what it has to a compacted topic, and reads what the others have."""

import threading
import time
from collections.abc import Iterable, Mapping

import msgspec
import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Producer, TopicPartition

from tailrace.client import Record, Topic, consume_available, consumer, ensure_topics, producer
from tailrace.streams.config import StreamsConfig
from tailrace.streams.instances.claims import HEARTBEAT_S, Claim, Claims, Member, TaskId, decoded, encoded, is_alive

log = structlog.get_logger("tailrace.streams")

# Compaction leaves alone the segment that is written to.
TOPIC_CONFIG = {"cleanup.policy": "compact", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1"}
POLL_S = 0.1
BATCH = 1_000
LAST_WORDS_S = 5.0


class Meeting:
    """One instance among those of its application, with a thread of its own, from `__enter__` to `__exit__`.

    `address`: where it answers queries. What is not known yet when it begins is known when `is_known`.
    """

    def __init__(self, application: str, config: StreamsConfig, address: str | None = None) -> None:
        self.name = config.instance
        self.claims = Claims()
        self.is_known = False
        # Whether this instance has had its first partitions, with their state.
        self.is_ready = False
        self._bootstrap_servers = config.bootstrap_servers
        self._application = application
        self._topic = f"{application}-instances"
        self._claim = Claim(address, is_standby=config.standby_replicas > 0)
        self._said_at = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._topic, daemon=True)

    def __enter__(self) -> "Meeting":
        ensure_topics(self._bootstrap_servers, [Topic(self._topic, 1, TOPIC_CONFIG)])
        self._producer: Producer = producer(self._bootstrap_servers, linger_ms=0)
        # What a former life has claimed is void.
        self._say()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Say that this instance has stopped."""
        self.is_ready = False
        self._stop.set()
        self._thread.join()
        self._producer.produce(self._topic, None, self.name, partition=0)
        self._producer.flush(LAST_WORDS_S)

    def claim_active(self, tasks: Iterable[TaskId]) -> None:
        """Say which tasks this instance works on from now on, and no others."""
        self._change(msgspec.structs.replace(self._claim, active=tuple(sorted(tasks))))

    def claim_standby(self, tasks: Mapping[TaskId, int | None]) -> None:
        """Say which tasks' state it keeps up to date, and by how many records they are behind, if it is known."""
        self._change(msgspec.structs.replace(self._claim, standby=tuple(sorted(tasks.items()))))

    def owner(self, task: TaskId) -> Member | None:
        """Who has a task, as far as is known."""
        return self.claims.owner(task)

    def live(self) -> list[Member]:
        """The instances that are taken to be alive."""
        return self.claims.live(time.monotonic())

    def is_alive(self, member: Member) -> bool:
        """Whether an instance is taken to be alive."""
        return is_alive(member, time.monotonic())

    def _change(self, claim: Claim) -> None:
        # The worker's thread is the only one that changes claims.
        if claim != self._claim:
            self._claim = claim
            self._say()

    def _say(self) -> None:
        with self._lock:
            self._said_at = time.monotonic()
            try:
                self._producer.produce(self._topic, encoded(self._claim), self.name, partition=0)
            except (BufferError, KafkaException) as error:
                log.warning("an instance could not say what it has", application=self._application, error=str(error))

    def _run(self) -> None:
        reader = consumer(self._bootstrap_servers, self._topic, enable_partition_eof=True)
        reader.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        while not self._stop.is_set():
            for record in consume_available(reader, BATCH, POLL_S):
                self._note(record)
            self._producer.poll(0)
            if time.monotonic() - self._said_at > HEARTBEAT_S:
                self._say()
        reader.close()

    def _note(self, record: Record) -> None:
        error, key, value = record.error(), record.key(), record.value()
        if error is not None:
            self.is_known = self.is_known or error.code() == KafkaError._PARTITION_EOF
        elif key is not None:
            try:
                claim = None if value is None else decoded(value)
                self.claims.note(key.decode(), claim, record.offset(), time.monotonic())
            except (msgspec.DecodeError, UnicodeDecodeError) as unreadable:
                log.warning("unreadable claim of an instance skipped", topic=self._topic, error=str(unreadable))
