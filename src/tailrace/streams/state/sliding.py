"""The sliding windows of one step in one task: what they hold, and which of them a record changes or makes.

Records define the windows. One at time `t` makes two: the window that ends with it, and the one that begins right after
it, if there are records in that. A window that is new takes over the aggregate of one that has held the same records,
and there always is one: that which ends with the last of them, or if this held one more at its beginning, the one that
begins right after that. For this, windows are kept for a while after they have closed, and go on taking records.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from tailrace.streams.state.windows import OpenWindows
from tailrace.streams.windows import START

# Times of records in milliseconds since 1970, ascending, each once.
Times = tuple[int, ...]

# Start of a window, its aggregate so far, the one passed on before, and whether the record is in it.
Touched = tuple[int, Any, Any, bool]


class SlidingWindows:
    """The aggregates of windows: those that are `open`, and those of the `past` that new ones may still be made of.

    `times`: those of the records, in buckets as long as a window. `length_ms`: from a window's start until it closes.
    """

    def __init__(
        self, open_: OpenWindows, past: OpenWindows, times: OpenWindows, difference_ms: int, length_ms: int
    ) -> None:
        self._open = open_
        self._past = past
        self._times = times
        self._difference_ms = difference_ms
        self._bucket_ms = difference_ms + 1
        self._length_ms = length_ms
        self._kept_ms = self.kept_ms(self._bucket_ms, length_ms)

    @staticmethod
    def kept_ms(size_ms: int, length_ms: int) -> int:
        """How long something is kept after the time that it begins with.

        A record that is not late changes windows that begin at most one size before it, and they are made of those that
        begin one size before that. The bucket of the record before these begins yet another size earlier.
        """
        return length_ms + 3 * size_ms

    @property
    def due(self) -> int:
        """When `closed` has something to do next, or earlier."""
        return min(self._open.due, self._in_step(min(self._past.due, self._times.due)))

    def touched(self, key: bytes, time: int) -> list[Touched]:
        """Take in the time of a record, and give the windows that it changes or makes, by start."""
        difference = self._difference_ms
        before = self._times_around(key, time)
        after = before if time in before else self._with_time(key, before, time)
        # Those that end with a record, and those that begin right after one.
        ends = after[bisect_left(after, time) : bisect_right(after, time + difference)]
        begins = after[bisect_left(after, time - difference - 1) : bisect_left(after, time)]
        starts = {max(end - difference, 0) for end in ends} | {begin + 1 for begin in begins}
        touched: list[Touched] = []
        for start in sorted(starts):
            source = self._source(before, start)
            held = None if source is None else self._get(source, key)
            touched.append((start, held, held if source == start else None, True))
        following = self._source(before, time + 1)
        if following is not None and following != time + 1:
            touched.append((time + 1, self._get(following, key), None, False))
        return touched

    def put(self, start: int, key: bytes, aggregate: Any, now: int) -> bool:
        """Set the aggregate of a window, and say whether that is open."""
        is_open = start + self._length_ms > now
        windows = self._open if is_open else self._past
        windows.store.put(START.encode(start) + key, aggregate)
        windows.opened(start)
        return is_open

    def closed(self, now: int) -> Iterator[tuple[int, bytes, Any]]:
        """Yield start, encoded key and aggregate of all windows that have closed, and forget what is not needed."""
        for start, key, aggregate in self._open.closed(now):
            if start + self._kept_ms > now:
                self._past.store.put(START.encode(start) + key, aggregate)
                self._past.opened(start)
            yield start, key, aggregate
        step = now - now % self._bucket_ms
        for kept in (self._past, self._times):
            if kept.due <= step:
                for _ in kept.closed(step):
                    pass

    def _in_step(self, time: int) -> int:
        """The next time at which something is forgotten that is not needed: not each for itself."""
        return time + -time % self._bucket_ms

    def _source(self, times: Times, start: int) -> int | None:
        """The start of the window that has held what a window of this start holds; None if that is nothing."""
        end = bisect_right(times, start + self._difference_ms)
        if end == 0 or times[end - 1] < start:
            return None
        first = bisect_left(times, start)
        earlier = times[first - 1] if first else -1
        return max(times[end - 1] - self._difference_ms, earlier + 1)

    def _get(self, start: int, key: bytes) -> Any:
        place = START.encode(start) + key
        aggregate = self._open.store.get(place)
        return self._past.store.get(place) if aggregate is None else aggregate

    def _times_around(self, key: bytes, time: int) -> Times:
        """The times of records that decide about windows that a record touches."""
        size = self._bucket_ms
        first, last = max(time - 2 * size, 0) // size * size, time + size
        buckets = (self._times.store.get(START.encode(start) + key) for start in range(first, last + 1, size))
        return tuple(known for bucket in buckets if bucket is not None for known in bucket)

    def _with_time(self, key: bytes, times: Times, time: int) -> Times:
        start = time - time % self._bucket_ms
        first, last = bisect_left(times, start), bisect_left(times, start + self._bucket_ms)
        place = bisect_left(times, time)
        self._times.store.put(START.encode(start) + key, (*times[first:place], time, *times[place:last]))
        self._times.opened(start)
        return (*times[:place], time, *times[place:])
