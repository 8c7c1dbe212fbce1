"""What is counted while an application works; plain numbers, changed by its thread and read when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tailrace.metrics.histogram import Histogram
from tailrace.streams.record import Record

# From a record's time to the commit of its effects: a transaction at the least, and as long as somebody was away.
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 86400.0)


class ApplicationCounters:
    """Of one instance of an application, since its process began."""

    def __init__(self) -> None:
        self.commits = 0
        self.aborts = 0
        self.rollbacks = 0
        self.rebalances = 0
        self.replaced_producers = 0
        self.commit_seconds = Histogram()


@dataclass(slots=True)
class Counts:
    """What records came to: by topic how many there were and the bytes of their values, then of all topics."""

    records: Counter[str] = field(default_factory=Counter)
    value_bytes: Counter[str] = field(default_factory=Counter)
    produced: int = 0
    late: int = 0
    skipped: int = 0
    dead_letters: int = 0

    def add(self, topic: str, records: Sequence[Record]) -> None:
        """Count records of a topic."""
        self.records[topic] += len(records)
        self.value_bytes[topic] += sum(map(len, records))

    def copy(self) -> Counts:
        """The same numbers, which stay as they are now."""
        return replace(self, records=self.records.copy(), value_bytes=self.value_bytes.copy())


class OperatorCounters:
    """The records that came to each step of a sub-topology, and those that it failed on."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.records = [0] * len(names)
        self.errors = [0] * len(names)


class TaskCounters:
    """Of one task, wherever it was since the process began.

    `counts` goes with the task's transaction; `committed` is what is kept of it, replaced and never changed. Tables
    that are only looked up have no part in transactions: `folded` counts their records.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self.committed = Counts()
        self.folded = Counts()
        self.latency_seconds = Histogram(LATENCIES)
        self.operators: OperatorCounters | None = None
        self.restored = 0
        # Records left to restore, by offsets; None when nothing is restored.
        self.restore_left: int | None = None
        self._times: list[int] = []

    def processed(self, topic: str, records: Sequence[Record], produced: int) -> None:
        """Count a run of records, and the outputs that they made. The first has waited longest for the commit."""
        self.counts.add(topic, records)
        self.counts.produced += produced
        self._times.append(records[0].timestamp()[1])

    def commit(self, now_ms: int) -> None:
        """Keep what was counted since the last commit or rollback. `now_ms`: milliseconds since 1970."""
        for time in self._times:
            self.latency_seconds.observe(max(0, now_ms - time) / 1000)
        self._times.clear()
        if self.counts != self.committed:
            self.committed = self.counts.copy()

    def rollback(self) -> None:
        """Forget what was counted since the last commit or rollback."""
        self._times.clear()
        self.counts = self.committed.copy()
