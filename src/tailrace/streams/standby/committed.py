"""The offsets that a group has committed, asked for in the background."""

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from tailrace.client import admin
from tailrace.streams.progress import Source

log = structlog.get_logger("tailrace.streams")

INTERVAL_S = 0.25


class CommittedOffsets:
    """What is `known` of a group's committed offsets; those of transactions that are open are not among them."""

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        self.known: Mapping[Source, int] = {}
        self._client = admin(bootstrap_servers)
        self._group = group
        self._asked_at = 0.0
        self._answer: Future[Any] | None = None

    def update(self, sources: Collection[Source]) -> None:
        """Take what was answered, and ask again if it is time; this does not wait."""
        if self._answer is not None and self._answer.done():
            self._take(self._answer)
            self._answer = None
        if sources and self._answer is None and time.monotonic() - self._asked_at > INTERVAL_S:
            self._asked_at = time.monotonic()
            partitions = [TopicPartition(*source) for source in sorted(sources)]
            request = ConsumerGroupTopicPartitions(self._group, partitions)
            self._answer = self._client.list_consumer_group_offsets([request])[self._group]

    def _take(self, answer: Future[Any]) -> None:
        try:
            partitions: list[TopicPartition] = answer.result().topic_partitions
        except KafkaException as exception:
            log.info("committed offsets are not to be had", group=self._group, reason=str(exception))
            return
        self.known = {(tp.topic, tp.partition): max(tp.offset, 0) for tp in partitions if tp.error is None}
