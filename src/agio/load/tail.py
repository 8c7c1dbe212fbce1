"""Consumers of whole topics without a group."""

from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tailrace.client import all_ends, consumer, wait_for_topics


def tail(
    bootstrap_servers: str, topics: Sequence[str], *, from_start: bool = False, timeout_s: float = 10.0
) -> Consumer:
    """Make a consumer of all that is committed to topics from now on, or ever since.

    Raises BrokerUnreachable, and LookupError when a topic does not exist.
    """
    counts = wait_for_topics(bootstrap_servers, topics, timeout_s)
    reader = consumer(bootstrap_servers, "none")
    places = [(topic, partition) for topic in topics for partition in range(counts[topic])]
    offsets = dict.fromkeys(places, OFFSET_BEGINNING) if from_start else all_ends(reader, places, timeout_s)
    reader.assign([TopicPartition(*place, offset) for place, offset in offsets.items()])
    return reader
