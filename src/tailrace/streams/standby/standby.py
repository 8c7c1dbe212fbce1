"""A standby: a task that is only restored, from its topics as they grow."""

from collections import deque
from collections.abc import Mapping, Sequence

from tailrace.client import Record
from tailrace.streams.task import Task

# The next offset of the task's partition of each topic.
Positions = Mapping[str, int]


class Standby:
    """A task of another instance, whose state is kept up to date here.

    Of topics that the task consumes as well, which are those of joined tables, the state takes what the group has
    committed and nothing beyond: that is processed again after a failure, and has to meet the state that it met before.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        # Where to read on: behind what was folded or waits.
        self.positions = task.folded
        # Ends that were come to. They may be behind markers, after which no record was read.
        self._ends: dict[str, int] = {}
        # Records that the group has not committed yet.
        self._waiting: dict[str, deque[Record]] = {topic: deque() for topic in task.consumed}

    def add(self, topic: str, records: Sequence[Record]) -> None:
        """Take account of consecutive records; those that it has had before change nothing."""
        new = [record for record in records if record.offset() >= self.positions[topic]]
        if new:
            self.positions[topic] = new[-1].offset() + 1
            if topic in self._waiting:
                self._waiting[topic].extend(new)
            else:
                self.task.restore(topic, new)

    def reach(self, topic: str, end: int) -> None:
        """Note that a topic was read to its end."""
        self._ends[topic] = end

    def commit(self, committed: Positions) -> None:
        """Fold what the group has committed."""
        for topic, records in self._waiting.items():
            end, ready = committed.get(topic, 0), []
            while records and records[0].offset() < end:
                ready.append(records.popleft())
            if ready:
                self.task.restore(topic, ready)

    @property
    def is_waiting(self) -> bool:
        """Whether there are records that the group had not committed."""
        return any(self._waiting.values())

    def waiting(self, topic: str) -> int:
        """How many records of a topic wait."""
        return len(self._waiting.get(topic, ()))

    def behind(self, ends: Positions, committed: Positions) -> int | None:
        """By how many records, markers included, the state is behind the topics' ends, and behind what is committed.

        None as long as one of them is not known.
        """
        missing = 0
        for topic, position in self.positions.items():
            end = (committed if topic in self._waiting else ends).get(topic)
            if end is None:
                return None
            records = self._waiting.get(topic)
            reached = records[0].offset() if records else max(position, self._ends.get(topic, 0))
            missing += max(end - reached, 0)
        return missing
