"""State in memory: for tests, and for what is quick to rebuild or asked for so often that a disk would be felt."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from threading import Lock

from tailrace.clock import now_ms
from tailrace.streams.state.backend import Entries, Offsets, Size


class MemoryBackend:
    """State that ends with the process."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        # Sorted, as of the last time that somebody needed the order, and never changed in place; what has come since,
        # and whether any has gone.
        self._keys: list[bytes] = []
        self._new: list[bytes] = []
        self._has_gone = False
        # Queries read in threads of their own.
        self._lock = Lock()
        self._offsets: dict[tuple[str, int], int] = {}
        self._written_at_ms = 0

    def get(self, key: bytes) -> bytes | None:
        """See Backend."""
        return self._entries.get(key)

    def range(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See Backend."""
        with self._lock:
            keys = self._in_order()
            found = keys[bisect_left(keys, start) : bisect_left(keys, end)]
            return iter([(key, self._entries[key]) for key in found])

    def keys(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """See Backend."""
        with self._lock:
            keys = self._in_order()
        return (keys[at] for at in range(bisect_left(keys, start), bisect_left(keys, end)))

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """See Backend."""
        with self._lock:
            for key, value in entries:
                if value is None:
                    self._has_gone |= self._entries.pop(key, None) is not None
                else:
                    if key not in self._entries:
                        self._new.append(key)
                    self._entries[key] = value
        self._offsets.update(offsets)
        self._written_at_ms = now_ms()

    def offsets(self) -> dict[tuple[str, int], int]:
        """See Backend."""
        return dict(self._offsets)

    def written_at_ms(self) -> int:
        """See Backend."""
        return self._written_at_ms

    def size(self) -> Size:
        """See Backend."""
        return Size(len(self._entries), None)

    def close(self) -> None:
        """See Backend."""

    def _in_order(self) -> list[bytes]:
        """All keys; what is new is merged into what was in order before."""
        if self._has_gone:
            # Some may have gone and come again.
            kept = (key for key in self._keys if key in self._entries)
            self._keys = sorted({*kept, *(key for key in self._new if key in self._entries)})
        elif self._new:
            self._keys = sorted(chain(self._keys, sorted(self._new)))
        self._new, self._has_gone = [], False
        return self._keys
