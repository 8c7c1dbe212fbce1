"""A sink task's place in its consumer group: batches of records, pauses that keep the place, and commits."""

import time
from collections.abc import Sequence
from threading import Event
from typing import TypeAlias, cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import Record, consume_available, consumer

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""

log = structlog.get_logger(__name__)

POLL_S = 0.2
PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


class Intake:
    """Reads the topics as a member of the group; a batch is committed, or taken back to come again."""

    def __init__(self, bootstrap_servers: str, group_id: str, overrides: dict[str, str]) -> None:
        self._group_id = group_id
        self._consumer: Consumer = consumer(bootstrap_servers, group_id, **overrides)
        self._assigned: set[Place] = set()
        self._rebalances = 0
        self._pending: list[Record] = []
        self._commit_failing = False

    def subscribe(self, topics: list[str]) -> None:
        """Join the group."""
        self._consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)

    def fetch(self, count_max: int) -> list[Record]:
        """Wait shortly for a record, then take what is there with it. Raises KafkaException."""
        messages, self._pending = self._pending, []
        found = consume_available(self._consumer, count_max, 0 if messages else POLL_S)
        messages += found
        return [message for message in messages if self._is_record(message) and _place(message) in self._assigned]

    def wait(self, seconds: float, stop: Event) -> bool:
        """Stay a member without taking records; False when told to stop, or when the partitions were shared anew.

        Raises KafkaException, as `fetch` does.
        """
        rebalances = self._rebalances
        held = list(self._assigned)
        self._consumer.pause([TopicPartition(*place) for place in held])
        ends_at = time.monotonic() + seconds
        while (left_s := ends_at - time.monotonic()) > 0 and not stop.is_set() and self._rebalances == rebalances:
            message = cast("Record | None", self._consumer.poll(min(left_s, POLL_S)))
            if message is not None and self._is_record(message):
                self._pending.append(message)
        self._consumer.resume([TopicPartition(*place) for place in held if place in self._assigned])
        return self._rebalances == rebalances and not stop.is_set()

    def take_back(self, messages: Sequence[Record]) -> None:
        """Have the messages delivered again, where their partition is still ours."""
        first: dict[Place, int] = {}
        for message in (*messages, *self._pending):
            if _place(message) in self._assigned:
                first[_place(message)] = min(message.offset(), first.get(_place(message), message.offset()))
        self._pending = []
        for place, offset in first.items():
            self._consumer.seek(TopicPartition(*place, offset))

    def commit(self, messages: Sequence[Record]) -> None:
        """Commit the offsets after the messages; they are in order within a partition.

        A failure is logged, not raised: a later commit covers it, or the records come again.
        """
        following = {_place(message): message.offset() + 1 for message in messages}
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in following.items()], asynchronous=False
            )
            self._commit_failing = False
        except KafkaException as error:
            if not self._commit_failing:
                log.warning("offsets not committed", group=self._group_id, error=error.args[0].str())
            self._commit_failing = True

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned.update((p.topic, p.partition) for p in partitions)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned.difference_update((p.topic, p.partition) for p in partitions)
        self._rebalances += 1

    def _is_record(self, message: Record) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal() or not (error.retriable() or error.code() in PASSING):
            raise KafkaException(error)
        log.warning("consumer", group=self._group_id, error=error.str())
        return False


def _place(message: Record) -> Place:
    return message.topic(), message.partition()
