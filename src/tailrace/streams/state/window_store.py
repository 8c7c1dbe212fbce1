"""Stores of values by key and window that a processor of one's own has, for a while."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.state.expiry import Expiring
from tailrace.streams.state.kept import KeptByWindow
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, Store, StoreSpec
from tailrace.streams.state.store_builder import Built
from tailrace.streams.state.stream_time import StreamTime
from tailrace.streams.state.windows import ByTime
from tailrace.streams.windows import LATEST, START, Windowed

if TYPE_CHECKING:
    from tailrace.streams.task import Task

K = TypeVar("K")
V = TypeVar("V")


class ExpiringWindows(Expiring[V]):
    """Values by the start of a window and encoded key, until the start is `retention_ms` ago."""

    def __init__(self, store: Store[V], retention_ms: int, time: StreamTime) -> None:
        super().__init__(store, retention_ms, _alive, time)
        self._windows = ByTime(store)
        # The starts that windows have, in order, and maybe some that none has any more; None when not known.
        self._starts: list[int] | None = None

    def put(self, key: bytes, value: V | None, start: int) -> None:
        """Set a value, or delete it; of a window that has expired there is none."""
        if self.has_expired(start):
            return
        self._store.put(START.encode(start) + key, value)
        if self._starts is not None:
            place = bisect_left(self._starts, start)
            if self._starts[place : place + 1] != [start]:
                self._starts.insert(place, start)

    def starts(self, earliest: int, latest: int) -> list[int]:
        """Give the starts from `earliest` to `latest`, inclusive, that windows may have, in order."""
        starts = self._starts
        if starts is None:
            starts = list(self._find_starts())
            # As long as there is no time, state is still being restored.
            self._starts = starts if self._time.now >= 0 else None
        return starts[bisect_left(starts, earliest) : bisect_right(starts, latest)]

    def delete_expired(self, now_ms: int) -> None:
        """See Expiring."""
        for _ in self._windows.take(now_ms - self._lifetime_ms + 1):
            pass
        if self._starts is not None:
            # What has expired since the last commit would be back after a rollback.
            del self._starts[: bisect_right(self._starts, self._time.committed - self._lifetime_ms)]

    def reset(self) -> None:
        """See Expiring."""
        self._windows.reset()

    def _find_starts(self) -> Iterator[int]:
        start = -1
        while (entry := next(self._store.range(START.encode(start + 1), None), None)) is not None:
            start = START.decode(entry[0][:8])
            yield start


class WindowStore(Generic[K, V]):
    """Values by key and window, of one task, until a window's start is as long ago as the retention says.

    Windows are of one size and begin where one likes; few starts that many keys share are found faster than a start
    for each record. What is put is part of the task's transaction, and undone with it. Times are milliseconds since
    1970.
    """

    def __init__(self, windows: ExpiringWindows[V], kept: KeptByWindow) -> None:
        self._windows = windows
        self._kept = kept
        self._key: Serde[K] = kept.key

    def get(self, key: K, start: int) -> V | None:
        """The value of a key in the window of this start, or None."""
        return self._windows.get(START.encode(start) + self._key.encode(key))

    def put(self, key: K, value: V, start: int) -> None:
        """Set the value of a key in the window of this start, unless that has expired.

        Values are not to be changed in place afterwards. Raises ValueError for a start before 1970.
        """
        if start < 0:
            raise ValueError(f"{self._kept.store}: no window can start at {start}; expected milliseconds since 1970")
        self._windows.put(self._key.encode(key), value, start)

    def delete(self, key: K, start: int) -> None:
        """Leave a key without a value in the window of this start."""
        self._windows.put(self._key.encode(key), None, start)

    def fetch(self, key: K, earliest: int = 0, latest: int = LATEST) -> Iterator[tuple[Windowed[K], V]]:
        """Yield the windows of a key that begin from `earliest` to `latest`, inclusive, oldest first."""
        encoded = self._key.encode(key)
        for start in self._windows.starts(earliest, latest):
            if (value := self._windows.get(START.encode(start) + encoded)) is not None:
                yield Windowed(key, start, start + self._kept.size_ms), value

    def fetch_all(self, earliest: int = 0, latest: int = LATEST) -> Iterator[tuple[Windowed[K], V]]:
        """Yield the windows of all keys that begin from `earliest` to `latest`, inclusive: by start, then by key."""
        return self._kept.fetch_all(self._windows, earliest, latest)

    def all(self) -> Iterator[tuple[Windowed[K], V]]:
        """Yield all windows of all keys: by start, then by key."""
        return self.fetch_all()


@dataclass(frozen=True)
class WindowStoreBuilder:
    """Makes the window store of a name in each task."""

    kept: KeptByWindow
    value: Serde[Any]
    changelog: bool
    retention_ms: int

    @property
    def specs(self) -> tuple[StoreSpec, ...]:
        """See StoreBuilder."""
        return (StoreSpec(self.kept.store, self.value, self.changelog, self.retention_ms + CHANGELOG_EXTRA_MS),)

    def build(self, task: "Task") -> Built:
        """See StoreBuilder."""
        windows: ExpiringWindows[Any] = ExpiringWindows(task.store(self.kept.store), self.retention_ms, task.time)
        return Built(WindowStore(windows, self.kept), windows.committed, windows)


def _alive(place: bytes, kept: V, expired: int) -> V | None:
    return kept if START.decode(place[:8]) > expired else None
