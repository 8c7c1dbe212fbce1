"""Consumed records, typed as what they are once they are known to be no error."""

from typing import Protocol, cast

from confluent_kafka import Consumer, KafkaError


class Record(Protocol):
    """The accessors of confluent-kafka's Message, which types every one of them as optional."""

    def error(self) -> KafkaError | None:
        """What this is instead of a record, such as the end of a partition; topic, partition and offset still hold."""

    def topic(self) -> str:
        """Topic it was read from."""

    def partition(self) -> int:
        """Partition it was read from."""

    def offset(self) -> int:
        """Offset in the partition."""

    def key(self) -> bytes | None:
        """Key as written."""

    def value(self) -> bytes | None:
        """Value as written; None is a tombstone."""

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in the order they were written."""

    def __len__(self) -> int:
        """Bytes of the value."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of timestamp, and milliseconds since 1970."""


def consume(consumer: Consumer, count: int, timeout_s: float) -> list[Record]:
    """Take up to `count` records or errors, waiting until that many are there or the time is up."""
    return cast("list[Record]", consumer.consume(count, timeout_s))


def consume_available(consumer: Consumer, count: int, timeout_s: float) -> list[Record]:
    """Take what is there, up to `count`, waiting only for the first: `consume` would wait for all."""
    first = consumer.poll(timeout_s)
    if first is None:
        return []
    return [cast("Record", first), *consume(consumer, count - 1, 0)]
