"""Where histories come from: the topics, cut at one moment, each partition read by a consumer of its own.

A live system goes on writing, so every topic is read up to an end that was asked for at the start, and the ends are
asked for in the order in which nothing can be missing: wallets before the outcomes they show, outcomes before the
requests they answer and the rates they used. The outcome topics are asked twice, `MARKERS_S` apart: the records of one
Kafka transaction become visible in one topic after the other.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from agio.audit.history import Entry, History, PartitionHistory, Read, Unreadable
from agio.contracts.events import RequestReference
from agio.contracts.topics import (
    ACCOUNTS,
    DEAD_LETTERS,
    EXCHANGE_RATES,
    REJECTED_TRANSACTIONS,
    TRANSACTION_REQUESTS,
    TRANSACTIONS,
    WALLETS,
    Contract,
)
from tailrace.client import BrokerUnreachable, admin, consumer, wait_for_topics
from tailrace.client.record import Record, consume_available
from tailrace.registry.client import Registry
from tailrace.registry.errors import SerdeError

T = TypeVar("T")
Ends = dict[tuple[str, int], int]

OUTCOMES = (TRANSACTIONS.topic, REJECTED_TRANSACTIONS.topic)
MARKERS_S = 0.5
# Per partition; several are read at once, and what waits in a queue is memory.
QUEUED_KBYTES = 4096


class TopicSource:
    """Reads the history of a running or stopped exchange.

    `on_read` is told, now and then, how many records were read since it was told last. Raises BrokerUnreachable, and
    LookupError when a topic does not exist.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        registry: Registry,
        on_read: Callable[[int], None] = lambda _: None,
        timeout_s: float = 10.0,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._registry = registry
        self._on_read = on_read
        self._timeout_s = timeout_s
        answers = *OUTCOMES, DEAD_LETTERS.name
        asked = TRANSACTION_REQUESTS.topic, ACCOUNTS.topic, EXCHANGE_RATES.topic
        self._partitions = wait_for_topics(bootstrap_servers, [WALLETS.topic, *answers, *asked], timeout_s)
        self._admin = admin(bootstrap_servers)
        self._ends = self._ask_ends([WALLETS.topic])
        self._early_ends = self._ask_ends(OUTCOMES)
        time.sleep(MARKERS_S)
        self._ends |= self._ask_ends(answers)
        self._ends |= self._ask_ends(asked)

    @property
    def size(self) -> int:
        """Sum of the ends of all partitions: as many records or a few less, since markers and gaps count."""
        return sum(self._ends.values())

    def history(self) -> History:
        """Give the history; it is read while it is iterated."""
        return History(
            accounts=self._read_all(ACCOUNTS),
            dead_letters=self._dead_letters(),
            partitions=map(self._partition, range(self._partitions[TRANSACTION_REQUESTS.topic])),
            rates=self._read_all(EXCHANGE_RATES),
            rates_end={
                partition: end for (topic, partition), end in self._ends.items() if topic == EXCHANGE_RATES.topic
            },
        )

    def _partition(self, number: int) -> PartitionHistory:
        return PartitionHistory(
            number=number,
            wallets=self._read(WALLETS, number),
            requests=self._read(TRANSACTION_REQUESTS, number),
            transactions=self._read(TRANSACTIONS, number),
            rejected=self._read(REJECTED_TRANSACTIONS, number),
            answered_to={topic: self._early_ends[topic, number] for topic in OUTCOMES},
        )

    def _read_all(self, contract: Contract[T]) -> Iterator[Read[T]]:
        for number in range(self._partitions[contract.topic]):
            yield from self._read(contract, number)

    def _read(self, contract: Contract[T], partition: int) -> Iterator[Read[T]]:
        """Read a partition's records; those deleted from a compacted topic are left out."""
        decode, compacted = contract.serde(self._registry).decode, "compact" in contract.config["cleanup.policy"]
        for message in self._messages(contract.topic, partition):
            data = message.value()
            if data is not None:
                yield _entry(message, data, decode)
            elif not compacted:
                yield Unreadable(contract.topic, partition, message.offset(), "has no value")

    def _dead_letters(self) -> Iterator[RequestReference]:
        for number in range(self._partitions[DEAD_LETTERS.name]):
            for message in self._messages(DEAD_LETTERS.name, number):
                reference = _origin(message)
                if reference is not None:
                    yield reference

    def _messages(self, topic: str, partition: int) -> Iterator[Record]:
        """Read a partition up to its end as it was at the start."""
        end = self._ends.get((topic, partition), 0)
        if end == 0:
            return
        reader = consumer(
            self._bootstrap_servers,
            "none",
            enable_partition_eof=True,
            queued_max_messages_kbytes=QUEUED_KBYTES,
            fetch_queue_backoff_ms=10,  # once a queue was full, look soon whether there is room again
            fetch_wait_max_ms=10,  # at the end there is nothing to wait for
        )
        try:
            reader.assign([TopicPartition(topic, partition, 0)])
            deadline = time.monotonic() + self._timeout_s
            while True:
                messages = consume_available(reader, 5000, 0.1)
                if not messages and time.monotonic() > deadline:
                    raise BrokerUnreachable(self._bootstrap_servers, self._timeout_s)
                self._on_read(len(messages))
                for message in messages:
                    error = message.error()
                    if error is None and message.offset() < end:
                        yield message
                    if error is None or error.code() == KafkaError._PARTITION_EOF:
                        if message.offset() >= end - 1:
                            return
                    elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
                        raise KafkaException(error)
                if messages:  # only now: what was read may have waited long to be asked for
                    deadline = time.monotonic() + self._timeout_s
        finally:
            reader.close()

    def _ask_ends(self, topics: Sequence[str]) -> Ends:
        """Ask for the offsets after the last committed records."""
        wanted = {
            TopicPartition(topic, partition): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for topic in topics
            for partition in range(self._partitions[topic])
        }
        answers = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout_s
        )
        return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}


def _entry(message: Record, data: bytes, decode: Callable[[bytes], T]) -> Read[T]:
    key = message.key()
    try:
        if key is not None:
            return Entry(message.topic(), message.partition(), message.offset(), key.decode(), decode(data))
        problem = "has no key"
    except (SerdeError, UnicodeDecodeError) as error:
        problem = str(error)
    return Unreadable(message.topic(), message.partition(), message.offset(), problem)


def _origin(message: Record) -> RequestReference | None:
    """Where a dead letter's record stood, by the headers of Kafka Connect; None if it does not say."""
    headers = dict(cast("list[tuple[str, bytes]]", cast("Message", message).headers() or []))
    try:
        return RequestReference(
            headers["__connect.errors.topic"].decode(),
            int(headers["__connect.errors.partition"]),
            int(headers["__connect.errors.offset"]),
        )
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
