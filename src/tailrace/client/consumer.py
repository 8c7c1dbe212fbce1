"""Consumers: of a group, and of a topic's whole content."""

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from tailrace.client.catch_up import CatchUp
from tailrace.client.config import CONSUMER, merged
from tailrace.client.errors import BrokerUnreachable
from tailrace.client.producer import dotted
from tailrace.client.record import Record, consume


def consumer(bootstrap_servers: str, group_id: str, **config: object) -> Consumer:
    """Make a consumer that reads committed records from the earliest on and commits only when told to."""
    return Consumer(merged(CONSUMER, bootstrap_servers, {"group.id": group_id} | dotted(config)))


def read_to_end(bootstrap_servers: str, topics: Sequence[str], timeout_s: float = 30.0) -> Iterator[Record]:
    """Yield every committed record that the topics hold, in order within a partition, and stop at the end that they
    have now.

    Raises BrokerUnreachable when nothing arrives for `timeout_s`, KafkaException on a broker's error.
    """
    reader = consumer(bootstrap_servers, "none", enable_partition_eof=True)
    try:
        partitions = _partitions(reader, bootstrap_servers, topics, timeout_s)
        progress = CatchUp(reader, dict.fromkeys(partitions, 0), timeout_s)
        reader.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in progress.behind])
        deadline = time.monotonic() + timeout_s
        while progress.behind:
            for record in consume(reader, 10_000, 0.1):
                deadline = time.monotonic() + timeout_s
                progress.note(record)
                error = record.error()
                if error is None:
                    yield record
                elif error.fatal():
                    raise KafkaException(error)
            if time.monotonic() > deadline:
                raise BrokerUnreachable(bootstrap_servers, timeout_s)
    finally:
        reader.close()


def _partitions(
    reader: Consumer, bootstrap_servers: str, topics: Sequence[str], timeout_s: float
) -> set[tuple[str, int]]:
    try:
        known = reader.list_topics(timeout=timeout_s).topics
    except KafkaException as exception:
        raise BrokerUnreachable(bootstrap_servers, timeout_s) from exception
    missing = [topic for topic in topics if topic not in known]
    if missing:
        raise LookupError(f"the cluster at {bootstrap_servers} has no topic {', '.join(missing)}")
    return {(topic, partition) for topic in topics for partition in known[topic].partitions}
