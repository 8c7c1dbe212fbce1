"""The windows of one step in one task: which of them are open, and when the next one closes."""

from collections.abc import Iterator
from typing import Any

from tailrace.streams.state.store import Store
from tailrace.streams.windows import START

NEVER = 1 << 62


class OpenWindows:
    """The aggregates of windows that have not closed, in a store by start of the window and then key.

    `due`: when the first of them closes, or earlier; `closed` finds out. `length_ms`: from a window's start until it
    closes.
    """

    def __init__(self, store: Store[Any], length_ms: int) -> None:
        self.store = store
        self._length_ms = length_ms
        self.due = -1

    def opened(self, start: int) -> None:
        """Note that something was put into the window of this start."""
        if start + self._length_ms < self.due:
            self.due = start + self._length_ms

    def reset(self) -> None:
        """Forget what is known: the store has changed behind one's back."""
        self.due = -1

    def closed(self, now: int) -> Iterator[tuple[int, bytes, Any]]:
        """Yield start, encoded key and aggregate of all windows that have closed, in this order, and forget them."""
        end = START.encode(max(now - self._length_ms + 1, 0))
        for key, aggregate in list(self.store.range(b"", end)):
            self.store.put(key, None)
            yield START.decode(key[:8]), key[8:], aggregate
        first = next(self.store.range(end, None), None)
        self.due = NEVER if first is None else START.decode(first[0][:8]) + self._length_ms
