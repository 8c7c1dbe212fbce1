"""Whether a consumer asks for records: after a lost answer of a broker librdkafka may stop to, and never say so."""

import time
from collections.abc import Callable

from msgspec import Struct, field
from msgspec.json import Decoder

# What a partition's `fetch_state` is in librdkafka's statistics while the client has to know where to read on. It has
# been seen to stay so for ever, after a broker had gone (librdkafka's issue 4492).
WAITING = frozenset({"offset-query", "offset-wait", "validate-epoch-wait"})
STATISTICS_INTERVAL_MS = 5_000


class _Partition(Struct):
    fetch_state: str = ""


class _Topic(Struct):
    partitions: dict[str, _Partition] = field(default_factory=dict)


class _Statistics(Struct):
    topics: dict[str, _Topic] = field(default_factory=dict)


class Fetching:
    """Knows of which partitions a consumer does not ask for records, as it waits for where to read on.

    It is the consumer's `stats_cb`, which is called within its polls, each `statistics_interval_ms`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decode = Decoder(_Statistics).decode
        self._waiting_since: dict[str, float] = {}

    def __call__(self, statistics: str) -> None:
        """Take note of a consumer's statistics."""
        now, before = self._clock(), self._waiting_since
        self._waiting_since = {
            (name := f"{topic}-{number}"): before.get(name, now)
            for topic, found in self._decode(statistics).topics.items()
            for number, partition in found.partitions.items()
            if partition.fetch_state in WAITING
        }

    def stalled(self, seconds: float) -> list[str]:
        """The partitions of which it has not asked for so long, as "topic-partition"."""
        if not self._waiting_since:
            return []
        latest = self._clock() - seconds
        return sorted(name for name, since in self._waiting_since.items() if since <= latest)
