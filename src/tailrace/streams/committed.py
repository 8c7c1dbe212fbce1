"""The committed offsets of partitions that are taken over, and whether they can be right."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tailrace.client import all_ends, is_passing
from tailrace.streams.errors import OffsetsLost
from tailrace.streams.progress import Source
from tailrace.streams.restore import ENDS_TIMEOUT_S

log = structlog.get_logger("tailrace.streams")

PATIENCE_S = 10.0
PAUSE_S = 0.5


class CommittedOffsets:
    """What the group of an application has committed, as `consumer`, a member of it, is told.

    `uncommitted`: a reader of uncommitted records, which is asked where topics end. `stopped`: whether to give up.
    """

    def __init__(
        self, application: str, consumer: Consumer, uncommitted: Consumer, stopped: Callable[[], bool]
    ) -> None:
        self._application = application
        self._consumer = consumer
        self._uncommitted = uncommitted
        self._stopped = stopped

    def ask(self, sources: Collection[Source]) -> list[TopicPartition]:
        """Ask for offsets, with their metadata, however long the coordinator takes."""
        while True:
            try:
                return self._consumer.committed([TopicPartition(*source) for source in sources], timeout=10.0)
            except KafkaException as exception:
                if self._stopped() or not is_passing(exception.args[0]):
                    raise
                log.info("waiting for committed offsets", reason=exception.args[0].str())

    def confirm(
        self, told: list[TopicPartition], read: Mapping[Source, int], begun: Collection[Collection[Source]]
    ) -> list[TopicPartition]:
        """Ask again while less is `told` than is known: that this instance had committed what it has `read`, and that
        one of each of the `begun` was committed by anybody.

        A coordinator of Apache Kafka 4 may answer before it has loaded its group, with nothing, and nothing means to
        begin at the beginning. Raises OffsetsLost when it stays so, unless the topic is not the one that was read.
        Gives the very list that was `told` if that is as it was.
        """
        before, deadline = told, time.monotonic() + PATIENCE_S
        while (lost := _lost(told, read, begun)) and not self._stopped():
            if time.monotonic() > deadline:
                self._refuse(lost)
                break
            log.warning(
                "committed offsets are less than they were, asking again",
                application=self._application,
                partitions=[
                    f"{tp.topic}-{tp.partition}: {tp.offset}, was {lost[tp.topic, tp.partition]}"
                    for tp in told
                    if (tp.topic, tp.partition) in lost
                ],
            )
            time.sleep(PAUSE_S)
            told = self.ask([(tp.topic, tp.partition) for tp in told])
        return before if [tp.offset for tp in told] == [tp.offset for tp in before] else told

    def _refuse(self, lost: Mapping[Source, int]) -> None:
        for source, end in all_ends(self._uncommitted, lost, ENDS_TIMEOUT_S).items():
            if lost[source] <= end:
                raise OffsetsLost(self._application, *source, lost[source])


def _lost(
    told: Sequence[TopicPartition], read: Mapping[Source, int], begun: Collection[Collection[Source]]
) -> dict[Source, int]:
    """What should have been told at least, of partitions of which less was."""
    offsets = {(tp.topic, tp.partition): tp.offset for tp in told}
    least = {source: 0 for group in begun if all(offsets[source] < 0 for source in group) for source in group}
    least |= {source: offset for source, offset in read.items() if offset > 0}
    return {source: offset for source, offset in least.items() if offsets[source] < offset}
