"""Where partitions begin and end, as the broker says when it is asked."""

import time
from collections.abc import Collection, Iterable

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client.passing import is_passing

Ends = dict[tuple[str, int], int]

RETRY_PAUSE_S = 0.05
# A question that was on its way when the broker went is not answered by the broker that comes back.
TRY_S = 2.0


def watermarks(reader: Consumer, topic: str, partition: int, timeout_s: float = 30.0) -> tuple[int, int]:
    """The first offset of a partition and the one after its last: for a reader of committed records, its last stable.

    Raises KafkaException when it is not to be had within `timeout_s`.
    """
    asked = [(topic, partition)]
    low = _offsets(reader, OFFSET_BEGINNING, asked, timeout_s)
    return low[topic, partition], _offsets(reader, OFFSET_END, asked, timeout_s)[topic, partition]


def all_ends(reader: Consumer, partitions: Iterable[tuple[str, int]], timeout_s: float = 30.0) -> Ends:
    """The offsets after the last records of partitions, in one question to each broker; see `watermarks`."""
    return _offsets(reader, OFFSET_END, list(partitions), timeout_s)


def ends(reader: Consumer, partitions: Iterable[tuple[str, int]], timeout_s: float) -> Ends:
    """Those of `all_ends` that brokers tell at once; the others are left out."""
    try:
        return _ask(reader, OFFSET_END, list(partitions), timeout_s)[0]
    except KafkaException:
        return {}


def _offsets(reader: Consumer, which: int, partitions: Collection[tuple[str, int]], timeout_s: float) -> Ends:
    """Ask until all are known."""
    deadline = time.monotonic() + timeout_s
    found: Ends = {}
    while left := [each for each in partitions if each not in found]:
        try:
            known, error = _ask(reader, which, left, min(timeout_s, TRY_S))
            found |= known
        except KafkaException as exception:
            error = exception.args[0]
        if error is not None:
            if time.monotonic() > deadline or not is_passing(error):
                raise KafkaException(error)
            time.sleep(RETRY_PAUSE_S)
    return found


def _ask(
    reader: Consumer, which: int, partitions: Collection[tuple[str, int]], timeout_s: float
) -> tuple[Ends, KafkaError | None]:
    """Ask once; give what is known, and why something is not.

    Not by librdkafka's own question for both watermarks: it forgets an error of the one when the other is answered
    after it, and the partition that has only a first offset seems to be empty.
    """
    answers = reader.offsets_for_times([TopicPartition(*each, which) for each in partitions], timeout_s)
    known = {(tp.topic, tp.partition): tp.offset for tp in answers if tp.error is None and tp.offset >= 0}
    if len(known) == len(partitions):
        return known, None
    errors = (tp.error for tp in answers if tp.error is not None)
    return known, next(errors, KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
