"""Where partitions begin and end, as the broker says when it is asked."""

import time
from collections.abc import Iterable

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

RETRY_PAUSE_S = 0.05
# A partition that was made a moment ago has no leader yet; librdkafka passes these on though asking again helps.
PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
    }
)


def watermarks(reader: Consumer, topic: str, partition: int, timeout_s: float = 30.0) -> tuple[int, int]:
    """The first offset of a partition and the one after its last: for a reader of committed records, its last stable.

    Raises KafkaException when it is not to be had within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout_s)
            return low, high
        except KafkaException as exception:
            error = exception.args[0]
            if time.monotonic() > deadline or not (error.retriable() or error.code() in PASSING):
                raise
            time.sleep(RETRY_PAUSE_S)


def ends(reader: Consumer, partitions: Iterable[tuple[str, int]], timeout_s: float) -> dict[tuple[str, int], int]:
    """The offsets after the last records of partitions, in one question to each broker; see `watermarks`.

    Those of which no answer comes within `timeout_s` are left out.
    """
    try:
        answers = reader.offsets_for_times([TopicPartition(*each, OFFSET_END) for each in partitions], timeout_s)
    except KafkaException:
        return {}
    return {(tp.topic, tp.partition): tp.offset for tp in answers if tp.error is None and tp.offset >= 0}
