"""Whether a consumer gets anywhere: of some partitions librdkafka may give nothing any more, and never say so.

When a broker has begun again, it answers fetches by who leads a partition now, which may be nobody yet. librdkafka 2.12
counts such an answer as a change of leader, but fills in nothing, so that what happens to be in memory is taken for
partition, leader and epoch; its lines METADATAUPDATE show some. With an epoch that never was a partition cannot be read
until its consumer is replaced: the broker refuses each question that has it. Others have seen one (issue 4492).
"""

import time
from collections.abc import Callable

from msgspec import Struct, field
from msgspec.json import Decoder

# What a partition's `fetch_state` is in librdkafka's statistics while the client has to know where to read on.
WAITING = frozenset({"offset-query", "offset-wait", "validate-epoch-wait"})
# The end that comes with an answer that is an error.
NO_END = -1
NO_BROKER = -1
STATISTICS_INTERVAL_MS = 5_000


class _Partition(Struct):
    desired: bool = False
    fetch_state: str = ""
    hi_offset: int = 0
    broker: int = 0

    @property
    def gives_nothing(self) -> bool:
        """Whether it is to be read, and cannot be at the moment."""
        is_answered = self.hi_offset != NO_END and self.broker != NO_BROKER
        return self.desired and (self.fetch_state in WAITING or not is_answered)


class _Topic(Struct):
    partitions: dict[str, _Partition] = field(default_factory=dict)


class _Statistics(Struct):
    topics: dict[str, _Topic] = field(default_factory=dict)


class Fetching:
    """Knows of which partitions a consumer cannot get records, by what its client says.

    It is the consumer's `stats_cb`, which is called within its polls, each `statistics_interval_ms`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decode = Decoder(_Statistics).decode
        self._stalled_since: dict[str, float] = {}

    def __call__(self, statistics: str) -> None:
        """Take note of a consumer's statistics."""
        now, before = self._clock(), self._stalled_since
        self._stalled_since = {
            (name := f"{topic}-{number}"): before.get(name, now)
            for topic, found in self._decode(statistics).topics.items()
            for number, partition in found.partitions.items()
            if partition.gives_nothing
        }

    def stalled(self, seconds: float) -> list[str]:
        """The partitions of which it could not for so long, as "topic-partition"."""
        if not self._stalled_since:
            return []
        latest = self._clock() - seconds
        return sorted(name for name, since in self._stalled_since.items() if since <= latest)
