"""The windows of one step in one task: which of them are open, and when the next one closes."""

from collections.abc import Iterator
from typing import Any

from tailrace.streams.state.store import Store
from tailrace.streams.windows import START

NEVER = 1 << 62


class ByTime:
    """What a store has by time and then key, of which the oldest is taken out; nothing older comes in afterwards."""

    def __init__(self, store: Store[Any]) -> None:
        self.store = store
        # Before this nothing is left, and what was deleted there need not be passed over again.
        self._begin = 0

    def reset(self) -> None:
        """Forget what is known: the store has changed behind one's back."""
        self._begin = 0

    def take(self, end: int) -> Iterator[tuple[int, bytes, Any]]:
        """Yield time, encoded key and value of all before `end`, exclusive, in this order, and forget them."""
        if end > self._begin:
            for place, value in list(self.store.range(START.encode(self._begin), START.encode(end))):
                self.store.put(place, None)
                yield START.decode(place[:8]), place[8:], value
            self._begin = end


class OpenWindows(ByTime):
    """The aggregates of windows that have not closed, in a store by start of the window and then key.

    `due`: when the first of them closes, or earlier; `closed` finds out. `length_ms`: from a window's start until it
    closes.
    """

    def __init__(self, store: Store[Any], length_ms: int) -> None:
        super().__init__(store)
        self._length_ms = length_ms
        self.due = -1

    def opened(self, start: int) -> None:
        """Note that something was put into the window of this start."""
        if start + self._length_ms < self.due:
            self.due = start + self._length_ms

    def reset(self) -> None:
        """See ByTime."""
        super().reset()
        self.due = -1

    def closed(self, now: int) -> Iterator[tuple[int, bytes, Any]]:
        """Yield start, encoded key and aggregate of all windows that have closed, in this order, and forget them."""
        end = max(now - self._length_ms + 1, 0)
        yield from self.take(end)
        first = self.store.first(START.encode(end))
        self.due = NEVER if first is None else START.decode(first[:8]) + self._length_ms
