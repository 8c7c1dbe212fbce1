"""Consumers of whole topics without a group."""

from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tailrace.client import consumer, wait_for_topics, watermarks


def tail(
    bootstrap_servers: str, topics: Sequence[str], *, from_start: bool = False, timeout_s: float = 10.0
) -> Consumer:
    """Make a consumer of all that is committed to topics from now on, or ever since.

    Raises BrokerUnreachable, and LookupError when a topic does not exist.
    """
    counts = wait_for_topics(bootstrap_servers, topics, timeout_s)
    reader = consumer(bootstrap_servers, "none")
    places = [TopicPartition(topic, partition) for topic in topics for partition in range(counts[topic])]
    for place in places:
        place.offset = (
            OFFSET_BEGINNING if from_start else watermarks(reader, place.topic, place.partition, timeout_s)[1]
        )
    reader.assign(places)
    return reader
