"""Windows: spans of time that records of a key are grouped by."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Generic, TypeVar

from msgspec import Struct

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import NumberSerde, Serde
from tailrace.streams.errors import TopologyError

K = TypeVar("K")

# Milliseconds, a timedelta, or text such as "500ms", "5s", "1m", "24h", "7d".
Duration = int | timedelta | str

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
START: NumberSerde[int] = NumberSerde("q")
# The latest time that a window can begin at.
LATEST = (1 << 63) - 2


class Windowed(Struct, Generic[K], frozen=True):
    """A key within a window from `start`, inclusive, to `end`, exclusive; milliseconds since 1970."""

    key: K
    start: int
    end: int


class Emit(Enum):
    """When results of a window are passed on."""

    UPDATE = "update"
    """With every record, as they are so far."""
    CLOSE = "close"
    """Once, when the window has closed: when time has reached its end and the grace after it."""


class Closing:
    """What windows have in common that close."""

    grace: Duration
    idle: Duration | None

    @property
    def grace_ms(self) -> int:
        """How long after its end a window closes."""
        return milliseconds(self.grace)

    @property
    def idle_ms(self) -> int | None:
        """How long nothing comes before windows close by the clock."""
        return None if self.idle is None else milliseconds(self.idle)


class OneSize(Closing):
    """What windows have in common that are all as long as each other."""

    @property
    def size_ms(self) -> int:
        """How long a window is."""
        raise NotImplementedError


@dataclass(frozen=True)
class Hopping(OneSize):
    """Windows of one size, one beginning at each `advance`; a record is in several when they overlap.

    `grace`: for how long after its end a window still takes records. `idle`: after how long without any record the
    time that is closing windows follows the clock; never, unless given.
    """

    size: Duration
    advance: Duration
    grace: Duration = 0
    idle: Duration | None = None

    def __post_init__(self) -> None:
        if not 0 < self.advance_ms <= self.size_ms or self.grace_ms < 0:
            raise TopologyError(f"{self}: expected a size above 0, an advance of at most the size, no negative grace")

    @property
    def size_ms(self) -> int:
        """How long a window is."""
        return milliseconds(self.size)

    @property
    def advance_ms(self) -> int:
        """How long after a window the next one begins."""
        return milliseconds(self.advance)


def Tumbling(size: Duration, *, grace: Duration = 0, idle: Duration | None = None) -> Hopping:  # noqa: N802
    """Windows of one size, one after the other; a record is in exactly one. See Hopping."""
    return Hopping(size, size, grace, idle)


@dataclass(frozen=True)
class Sliding(OneSize):
    """Windows of one size that records define: two records are in one window if they are at most `difference` apart.

    There is a window for each set of records of a key that can be seen at once. It begins `difference` before its last
    record, but not before 0, or 1 ms after the one that has just left it. `grace` and `idle`: see Hopping.
    """

    difference: Duration
    grace: Duration = 0
    idle: Duration | None = None

    def __post_init__(self) -> None:
        if self.difference_ms < 0 or self.grace_ms < 0:
            raise TopologyError(f"{self}: expected a difference of 0 or more and no negative grace")

    @property
    def difference_ms(self) -> int:
        """How far apart records of one window are at most."""
        return milliseconds(self.difference)

    @property
    def size_ms(self) -> int:
        """See OneSize; with the last millisecond, in which there may be a record, too."""
        return self.difference_ms + 1


@dataclass(frozen=True)
class Sessions(Closing):
    """Windows of any length: records of a key belong together that are at most `gap` apart in time.

    `grace`: for how long after the gap a session still takes records. `idle`: see Hopping.
    """

    gap: Duration
    grace: Duration = 0
    idle: Duration | None = None

    def __post_init__(self) -> None:
        if self.gap_ms <= 0 or self.grace_ms < 0:
            raise TopologyError(f"{self}: expected a gap above 0 and no negative grace")

    @property
    def gap_ms(self) -> int:
        """How far apart records of one session are at most."""
        return milliseconds(self.gap)


# What streams can be grouped by.
Windows = Hopping | Sliding | Sessions


@dataclass(frozen=True)
class JoinWindow:
    """How far apart in time records are that a join of streams brings together.

    A record meets those of the other stream that are at most `before` earlier and at most `after` later than it; for as
    long as `grace` after that, others may come late.
    """

    before: Duration
    after: Duration
    grace: Duration = 0

    def __post_init__(self) -> None:
        if self.before_ms < 0 or self.after_ms < 0 or self.grace_ms < 0:
            raise TopologyError(f"{self}: expected durations of 0 or more")

    @property
    def before_ms(self) -> int:
        """How much earlier the other record may be."""
        return milliseconds(self.before)

    @property
    def after_ms(self) -> int:
        """How much later the other record may be."""
        return milliseconds(self.after)

    @property
    def grace_ms(self) -> int:
        """How much later than that it may come."""
        return milliseconds(self.grace)


def milliseconds(duration: Duration) -> int:
    """A duration as a number. Raises TopologyError for what is none."""
    if isinstance(duration, timedelta):
        return round(duration / timedelta(milliseconds=1))
    if isinstance(duration, int):
        return duration
    match = re.fullmatch(r"(\d+) ?(ms|s|m|h|d)", duration) if isinstance(duration, str) else None
    if match is None:
        raise TopologyError(f'{duration!r} is no duration; expected one like "500ms", "5s", "1m", "24h" or "7d"')
    return int(match[1]) * UNITS_MS[match[2]]


class WindowedSerde(Generic[K]):
    """Keys within windows of `size_ms`, as Kafka Streams' TimeWindowedSerializer has them: key, then start, 8 bytes."""

    def __init__(self, key: Serde[K], size_ms: int) -> None:
        self._key = key
        self._size_ms = size_ms

    def encode(self, value: Windowed[K]) -> bytes:
        """Give the bytes of a key within a window."""
        return self._key.encode(value.key) + START.encode(value.start)

    def decode(self, data: bytes) -> Windowed[K]:
        """Give the key within a window of bytes."""
        if len(data) < 8:
            raise SerdeError(f"{data!r} is no key within a window; expected a key and 8 bytes")
        start = START.decode(data[-8:])
        return Windowed(self._key.decode(data[:-8]), start, start + self._size_ms)


class SessionSerde(Generic[K]):
    """Keys within sessions, as Kafka Streams' SessionWindowedSerializer has them: key, last record's time, start."""

    def __init__(self, key: Serde[K]) -> None:
        self._key = key

    def encode(self, value: Windowed[K]) -> bytes:
        """Give the bytes of a key within a session."""
        return self._key.encode(value.key) + START.encode(value.end - 1) + START.encode(value.start)

    def decode(self, data: bytes) -> Windowed[K]:
        """Give the key within a session of bytes."""
        if len(data) < 16:
            raise SerdeError(f"{data!r} is no key within a session; expected a key and 16 bytes")
        last, start = START.decode(data[-16:-8]), START.decode(data[-8:])
        return Windowed(self._key.decode(data[:-16]), start, last + 1)
