"""Retention: a topic with `cleanup.policy=delete` gives up its oldest segments by age and by size, whole ones only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from tailrace.broker.log.partition import PartitionLog

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker
    from tailrace.broker.topics import Topic

log = structlog.get_logger()

UNLIMITED = -1


def retained_start(partition: PartitionLog, now_ms: int, retention_ms: int, retention_bytes: int) -> int:
    """The offset that the log is to begin with.

    As in Kafka, a segment is as old as its newest record, and goes for its size when the rest is still as large as
    `retention_bytes`. Nothing goes that is not durable.
    """
    start = partition.log_start_offset
    excess = partition.size - retention_bytes if retention_bytes != UNLIMITED else 0
    ends = [segment.base_offset for segment in partition.segments[1:]] + [partition.log_end_offset]
    for segment, end in zip(partition.segments, ends, strict=True):
        is_old = retention_ms != UNLIMITED and segment.max_timestamp < now_ms - retention_ms
        is_too_much = 0 < segment.size <= excess
        if end > partition.high_watermark or not (is_old or is_too_much):
            break
        excess -= segment.size
        start = max(start, end)
    return start


def enforce_retention(broker: Broker) -> None:
    """Drop what the topics need not keep any longer."""
    for topic in broker.state.topics:
        if topic.is_deleted_by_retention:
            for index, partition in enumerate(topic.partitions):
                _enforce(broker, topic, index, partition)


def _enforce(broker: Broker, topic: Topic, index: int, partition: PartitionLog) -> None:
    start = retained_start(partition, broker.now_ms(), topic.retention_ms, topic.retention_bytes)
    if start > partition.log_start_offset:
        log.info(
            "retention", topic=topic.name, partition=index, from_offset=partition.log_start_offset, to_offset=start
        )
        broker.move_log_start(topic, index, start)
