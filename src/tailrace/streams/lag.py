"""Lag: how far topics go beyond what was processed."""

import time

from confluent_kafka import Consumer

from tailrace.streams.assignment import Assignment
from tailrace.streams.progress import Source

# How old it may be.
INTERVAL_S = 1.0


class Lag:
    """That of the partitions which are here, as of the last second; may be asked for from any thread."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._ends: dict[Source, int] = {}
        self._known_at = time.monotonic()

    def look(self, consumer: Consumer) -> None:
        """Note what the consumer remembers of where topics end; other threads would wait for it while it polls."""
        if time.monotonic() - self._known_at < INTERVAL_S:
            return
        self._known_at = time.monotonic()
        known = {
            (tp.topic, tp.partition): consumer.get_watermark_offsets(tp, cached=True)[1]
            for tp in self._assignment.positions()
        }
        self._ends = {source: end for source, end in known.items() if end >= 0}

    def of_tasks(self) -> dict[tuple[str, str], int]:
        """The lag by names of task and topic."""
        return {
            (task.name, topic): max(0, end - max(0, self._assignment.position((topic, partition)).offset))
            for (topic, partition), end in self._ends.items()
            if (task := self._assignment.task_of(topic, partition)) is not None
        }
