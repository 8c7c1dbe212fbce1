"""Records of several topics in the order of their times, for steps that bring them together."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tailrace.streams.record import Record

# Records of one topic that are processed one after the other.
Run = tuple[str, list[Record]]


class TimedInputs:
    """The topics of one task, each in its own order, and all of them by time as far as that can be known.

    A record waits while a topic is behind, with records on the broker that were not read yet and that may be earlier.
    At the same time the topics' order decides: `topics` has those first whose records the others should find.
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = tuple(topics)
        self._queues: dict[str, deque[tuple[int, Record]]] = {topic: deque() for topic in self.topics}

    def add(self, topic: str, records: Sequence[Record]) -> None:
        """Append what was read of a topic."""
        self._queues[topic].extend((record.timestamp()[1], record) for record in records)

    def take(self, is_behind: Callable[[str], bool]) -> list[Run]:
        """Take the records whose turn it is."""
        runs: list[Run] = []
        while (first := self._first(is_behind)) is not None:
            runs.append((first, self._take_run(first)))
        return runs

    def waiting(self, topic: str) -> int:
        """How many records of a topic wait."""
        return len(self._queues[topic])

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def _first(self, is_behind: Callable[[str], bool]) -> str | None:
        """The topic with the earliest record, unless an earlier one may come."""
        earliest: str | None = None
        for topic, queue in self._queues.items():
            if queue:
                if earliest is None or queue[0][0] < self._queues[earliest][0][0]:
                    earliest = topic
            elif is_behind(topic):
                return None
        return earliest

    def _take_run(self, topic: str) -> list[Record]:
        """Take the records of a topic that come before those of all others."""
        queue, is_later = self._queues[topic], False
        # Topics before this one in order win at the same time, those behind it do not.
        limit: float = float("inf")
        for other, others in self._queues.items():
            if other == topic:
                is_later = True
            elif others:
                limit = min(limit, others[0][0] if is_later else others[0][0] - 1)
        records = [queue.popleft()[1]]
        while queue and queue[0][0] <= limit:
            records.append(queue.popleft()[1])
        return records
