"""The registry's state as the topic `_schemas` tells it.

The state changes only by reading the topic, live and on replay, so that all registries on one topic agree. Only one of
them writes at a time: writes are transactions under one transactional id, and a registry that takes it over fences the
one before. It reads to the end before it decides, so no two decisions ever rest on the same state: two schemas cannot
get one id, nor one schema two.
"""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tailrace.client import (
    ProducerFenced,
    Topic,
    TransactionAborted,
    TransactionalProducer,
    all_ends,
    consumer,
    ensure_topics,
    wait_for_broker,
)
from tailrace.registry import records
from tailrace.registry.errors import Rejection
from tailrace.registry.store import Event, Request, State, decide, evolve

T = TypeVar("T")

log = logging.getLogger(__name__)

TOPIC_CONFIG = {"cleanup.policy": "compact"}
FENCED_BACKOFF_S = 0.2
POLL_S = 0.2
BATCH_MAX = 500
# The end of the topic is reported when a fetch finds nothing more, so nobody waits longer than this to catch up.
FETCH_WAIT_MS = 100


class SchemaLog:
    """A registry's state, kept up to date by a thread, and the only way to change it; thread-safe.

    `timeout_s` bounds one read to the end, and one write.
    """

    def __init__(self, bootstrap_servers: str, topic: str = "_schemas", *, timeout_s: float = 10.0) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        self._timeout_s = timeout_s
        self._state = State()
        self._next_offset = 0
        self._moved = threading.Condition()
        self._write_lock = threading.Lock()
        self._write_deadline = 0.0
        self._producer: TransactionalProducer | None = None
        self._consumer: Consumer | None = None
        # Asks for the end on a connection of its own: a broker answers in order, so behind a waiting fetch it is slow.
        self._asker: Consumer | None = None
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read_on, name="schemas-reader", daemon=True)

    def start(self, wait_s: float) -> None:
        """Wait for the broker, create the topic if missing, and read what it holds.

        Raises BrokerUnreachable; ValueError when the topic has more than one partition; TimeoutError.
        """
        wait_for_broker(self._bootstrap_servers, wait_s)
        ensure_topics(self._bootstrap_servers, [Topic(self._partition.topic, 1, TOPIC_CONFIG)], wait_s)
        self._consumer = consumer(
            self._bootstrap_servers, self._partition.topic, enable_partition_eof=True, fetch_wait_max_ms=FETCH_WAIT_MS
        )
        self._consumer.assign([self._partition])
        self._asker = consumer(self._bootstrap_servers, self._partition.topic)
        self._reader.start()
        self.catch_up()

    def close(self) -> None:
        """Stop reading and writing."""
        self._closed.set()
        if self._reader.is_alive():
            self._reader.join(1.0)
        if self._asker is not None:
            self._asker.close()
        self._drop_producer()

    def read(self, query: Callable[[State], T]) -> T:
        """Give what `query` finds in the state as of now."""
        with self._moved:
            return query(self._state)

    def read_fresh(self, query: Callable[[State], T | Rejection]) -> T | Rejection:
        """Give what `query` finds; what it does not find may have been written elsewhere, so then after catching up."""
        found = self.read(query)
        if isinstance(found, Rejection):
            self.catch_up()
            return self.read(query)
        return found

    def submit(self, request: Request) -> Sequence[Event] | Rejection:
        """Decide a request, append its events and return once they are applied. Raises TimeoutError."""
        deadline = time.monotonic() + self._timeout_s
        with self._write_lock:
            self._write_deadline = deadline
            while True:
                try:
                    return self._decide_and_append(request)
                except (TransactionAborted, ProducerFenced, KafkaException) as error:
                    log.info("another registry took over writing, or the broker is away; trying again: %s", error)
                    self._drop_producer()
                    if self._is_too_late():
                        raise TimeoutError(f"{self._partition.topic} could not be written: {error}") from error
                    time.sleep(random.uniform(0, FENCED_BACKOFF_S))
                except TimeoutError:
                    self._drop_producer()  # the next decision must not rest on a state that may be behind
                    raise

    def catch_up(self) -> None:
        """Return once everything that is in the topic now has been applied. Raises TimeoutError."""
        assert self._asker is not None
        deadline = time.monotonic() + self._timeout_s
        try:
            asked = (self._partition.topic, self._partition.partition)
            end = all_ends(self._asker, [asked], self._timeout_s)[asked]
        except KafkaException as error:
            raise TimeoutError(f"the end of {self._partition.topic} cannot be asked for: {error}") from error
        self._wait_for(end, deadline)

    def _decide_and_append(self, request: Request) -> Sequence[Event] | Rejection:
        if self._producer is None or self._producer.must_be_replaced:
            self._take_over()
        outcome = self.read_fresh(lambda state: decide(state, request))
        if not isinstance(outcome, Rejection):
            self._append(outcome)
        return outcome

    def _take_over(self) -> None:
        self._drop_producer()
        self._producer = TransactionalProducer(
            self._bootstrap_servers,
            f"{self._partition.topic}-writer",
            give_up=self._is_too_late,
            linger_ms=0,
        )
        self.catch_up()

    def _is_too_late(self) -> bool:
        return self._closed.is_set() or time.monotonic() > self._write_deadline

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException):  # a fenced one says so again
                producer.close()

    def _append(self, events: Sequence[Event]) -> None:
        if not events:
            return
        assert self._producer is not None
        offsets: list[int] = []
        self._producer.begin()
        for event in events:
            key, value = records.encode(event)
            self._producer.produce(
                self._partition.topic,
                value,
                key,
                self._partition.partition,
                on_delivery=lambda error, message: offsets.append(_offset(message)) if error is None else None,
            )
        self._producer.commit()
        self._wait_for(offsets[-1] + 1, time.monotonic() + self._timeout_s)

    def _wait_for(self, end: int, deadline: float) -> None:
        with self._moved:
            while self._next_offset < end:
                if not self._moved.wait(max(0.0, deadline - time.monotonic())) and self._next_offset < end:
                    raise TimeoutError(f"{self._partition.topic} was read up to {self._next_offset}, not to {end}")

    def _read_on(self) -> None:
        assert self._consumer is not None
        while not self._closed.is_set():
            first = self._consumer.poll(POLL_S)
            if first is None:
                continue
            with self._moved:
                for message in [first, *self._consumer.consume(BATCH_MAX, 0)]:
                    self._apply(message)
                self._moved.notify_all()
        self._consumer.close()

    def _apply(self, message: Message) -> None:
        error = message.error()
        if error is None:
            event = records.decode(message.key(), message.value())
            if event is not None:
                evolve(self._state, event)
            self._next_offset = _offset(message) + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # Also counts the markers of transactions at the end, which are not delivered.
            self._next_offset = max(self._next_offset, _offset(message))
        else:
            log.warning("%s: %s", self._partition.topic, error.str())


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None  # it was delivered
    return offset
