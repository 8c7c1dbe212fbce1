"""The offsets that a group has committed, asked for in the background."""

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from confluent_kafka import KafkaException, TopicPartition

from tailrace.client import consumer
from tailrace.streams.progress import Source

log = structlog.get_logger("tailrace.streams")

INTERVAL_S = 0.25
TIMEOUT_S = 1.0


class CommittedOffsets:
    """What is `known` of a group's committed offsets; those of transactions that are open are not among them.

    A consumer that does not join the group is asked, in a thread of its own. An AdminClient would not need the thread,
    but librdkafka 2.16 crashes when it answers one that the group's coordinator has moved or is still loading: it looks
    for the client's own group, which only a consumer has.
    """

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        self.known: Mapping[Source, int] = {}
        # One of committed records would wait until no transaction is open.
        self._client = consumer(bootstrap_servers, group, isolation_level="read_uncommitted")
        self._thread = ThreadPoolExecutor(1, "committed-offsets")
        self._group = group
        self._asked_at = 0.0
        self._answer: Future[list[TopicPartition]] | None = None

    def update(self, sources: Collection[Source]) -> None:
        """Take what was answered, and ask again if it is time; this does not wait."""
        if self._answer is not None and self._answer.done():
            self._take(self._answer)
            self._answer = None
        if sources and self._answer is None and time.monotonic() - self._asked_at > INTERVAL_S:
            self._asked_at = time.monotonic()
            partitions = [TopicPartition(*source) for source in sorted(sources)]
            self._answer = self._thread.submit(self._client.committed, partitions, TIMEOUT_S)

    def close(self) -> None:
        """Wait for an answer that is on its way, and leave."""
        self._thread.shutdown(cancel_futures=True)
        self._client.close()

    def _take(self, answer: Future[list[TopicPartition]]) -> None:
        try:
            partitions = answer.result()
        except KafkaException as exception:
            log.info("committed offsets are not to be had", group=self._group, reason=str(exception))
            return
        self.known = {(tp.topic, tp.partition): max(tp.offset, 0) for tp in partitions if tp.error is None}
