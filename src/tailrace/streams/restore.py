"""Restoring: tasks' state is caught up from the topics that it is the fold of."""

import time
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import Record, consume, consumer
from tailrace.streams.task import Task

log = structlog.get_logger("tailrace.streams")

BATCH = 5_000
PROGRESS_INTERVAL_S = 5.0


def restore(
    tasks: Mapping[int, Task], bootstrap_servers: str, application: str, stopped: Callable[[], bool]
) -> dict[tuple[str, int], int]:
    """Fold what the state of `tasks` (by partition) lacks, to the ends of its topics; return the next offsets.

    The end is where the broker says so, not where the last record should be: transaction markers take offsets too.
    It stops early when `stopped`.
    """
    waiting = {(topic, task.partition): offset for task in tasks.values() for topic, offset in task.folded.items()}
    positions = dict(waiting)
    if not waiting:
        return positions
    reader = consumer(bootstrap_servers, f"{application}-restore", enable_partition_eof=True, fetch_wait_max_ms=100)
    begun, count = time.monotonic(), 0
    told = begun
    try:
        reader.assign([TopicPartition(*tp, offset or OFFSET_BEGINNING) for tp, offset in waiting.items()])
        while waiting and not stopped():
            messages = consume(reader, BATCH, 0.05)
            count += _fold(messages, tasks, waiting, positions)
            if time.monotonic() - told > PROGRESS_INTERVAL_S:
                told = time.monotonic()
                log.info("restoring", application=application, records=count, partitions_left=len(waiting))
    finally:
        _close(reader)
    for task in tasks.values():
        task.write()
    if count:
        seconds = time.monotonic() - begun
        log.info("restored", application=application, records=count, seconds=round(seconds, 2))
    return positions


def _fold(
    messages: list[Record],
    tasks: Mapping[int, Task],
    waiting: dict[tuple[str, int], int],
    positions: dict[tuple[str, int], int],
) -> int:
    runs: dict[tuple[str, int], list[Record]] = {}
    for message in messages:
        source = (message.topic(), message.partition())
        error = message.error()
        if error is None:
            runs.setdefault(source, []).append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            waiting.pop(source, None)
            positions[source] = max(positions[source], message.offset())
        elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
            raise KafkaException(error)
    for (topic, partition), run in runs.items():
        tasks[partition].restore(topic, run)
        positions[topic, partition] = max(positions[topic, partition], run[-1].offset() + 1)
    return sum(map(len, runs.values()))


def _close(reader: Consumer) -> None:
    reader.unassign()
    reader.close()
