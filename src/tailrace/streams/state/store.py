"""A typed store of one task: decoded values in memory, undo of what was not committed, encoding once per write."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.state.backend import Backend, bounds_of

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

# How many decoded values a store keeps in memory, at most twice this number.
CACHED_VALUES = 25_000

# How much longer than a step needs its state the changelog keeps it, for clocks and restarts.
CHANGELOG_EXTRA_MS = 24 * 3_600_000

_UNKNOWN: Any = object()


@dataclass(frozen=True)
class StoreSpec:
    """A store that a step needs: its name within the application, and how its values are kept.

    `changelog`: whether a topic of its own keeps its changes, from which it is rebuilt; without, the step has another
    way. `retention_ms`: how long the topic keeps a change that nobody overwrites; None for ever. `cached`: whether keys
    are asked for again and again, so that their values are kept in memory.
    """

    name: str
    value: Serde[Any]
    changelog: bool = False
    retention_ms: int | None = None
    cached: bool = True


class Reader(Protocol[V_co]):
    """What is read of a store, by encoded keys."""

    def get(self, key: bytes) -> V_co | None:
        """The value of a key, or None."""

    def range(self, start: bytes, end: bytes | None) -> Iterator[tuple[bytes, V_co]]:
        """Yield keys from `start`, inclusive, to `end`, exclusive or None for the last, with values, in order of bytes.

        What is put meanwhile is not seen.
        """


class Store(Generic[V]):
    """Values by encoded key, over a backend that is shared with the task's other stores.

    A `put` is seen at once, is kept by `commit` and forgotten by `rollback`, and reaches the backend when the task
    writes what `unwritten` gives. None means that there is no value.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        encode: Callable[[V], bytes],
        decode: Callable[[bytes], V],
        *,
        cached: bool = True,
    ) -> None:
        self.name = name
        self._is_cached = cached
        self._prefix, self._end = bounds_of(name)
        self._backend = backend
        self._encode = encode
        self._decode = decode
        self._uncommitted: dict[bytes, V | None] = {}
        # What `put` replaced since the last `mark`, oldest first; None as long as nobody marks.
        self._replaced: list[tuple[bytes, V | None]] | None = None
        self._unwritten: dict[bytes, V | None] = {}
        # The keys of both in order, and maybe some that were undone; None until somebody needs their order.
        self._ordered: list[bytes] | None = None
        # What `changes` has encoded already, of the values in `_unwritten`.
        self._encoded: dict[bytes, bytes | None] = {}
        # What the backend has. Two generations: what was not asked for during a whole one is dropped with it.
        self._young: dict[bytes, V | None] = {}
        self._old: dict[bytes, V | None] = {}

    def get(self, key: bytes) -> V | None:
        """The value of a key, uncommitted changes included."""
        value = self._uncommitted.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._unwritten.get(key, _UNKNOWN)
            if value is _UNKNOWN:
                value = self._young.get(key, _UNKNOWN)
                if value is _UNKNOWN:
                    value = self._load(key)
        return value

    def put(self, key: bytes, value: V | None) -> None:
        """Set a value within the current transaction."""
        if self._replaced is not None:
            self._replaced.append((key, self._uncommitted.get(key, _UNKNOWN)))
        if self._ordered is not None and key not in self._uncommitted and key not in self._unwritten:
            insort(self._ordered, key)
        self._uncommitted[key] = value

    def mark(self) -> None:
        """Set the point that `undo` goes back to."""
        self._replaced = []

    def undo(self) -> None:
        """Forget what was put since the last `mark`."""
        for key, value in reversed(self._replaced or ()):
            if value is _UNKNOWN:
                del self._uncommitted[key]
            else:
                self._uncommitted[key] = value
        self._replaced = []

    def range(self, start: bytes, end: bytes | None) -> Iterator[tuple[bytes, V]]:
        """See Reader; uncommitted changes included."""
        ordered = self._in_order()
        last = len(ordered) if end is None else bisect_left(ordered, end)
        keys = ordered[bisect_left(ordered, start) : last]
        changed = {key: value for key in keys if (value := self._changed(key)) is not _UNKNOWN}
        return self._merged(changed, start, end)

    def first(self, start: bytes) -> bytes | None:
        """The first key from `start` on, inclusive, that has a value: what a range begins with, without the rest."""
        ordered, size = self._in_order(), len(self._prefix)
        place = bisect_left(ordered, start)
        for prefixed in self._backend.keys(self._prefix + start, self._end):
            key = prefixed[size:]
            while place < len(ordered) and ordered[place] <= key:
                if self._has_new(ordered[place]):
                    return ordered[place]
                place += 1
            if self._changed(key) is _UNKNOWN:
                return key
        return next((ordered[at] for at in range(place, len(ordered)) if self._has_new(ordered[at])), None)

    def committed(self, key: bytes) -> V | None:
        """The value of a key without uncommitted changes; may be asked from any thread."""
        value = self._unwritten.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            data = self._backend.get(self._prefix + key)
            value = None if data is None else self._decode(data)
        return value

    def committed_range(self, start: bytes, end: bytes | None) -> Iterator[tuple[bytes, V]]:
        """As `range`, without uncommitted changes; may be asked from any thread."""
        unwritten = self._unwritten.copy()
        changed = {key: value for key, value in unwritten.items() if key >= start and (end is None or key < end)}
        return self._merged(changed, start, end)

    def _merged(self, changed: dict[bytes, V | None], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, V]]:
        """What the backend has, and what has changed since."""
        stop = self._end if end is None else self._prefix + end
        size = len(self._prefix)
        ahead = sorted(changed, reverse=True)
        for prefixed, data in self._backend.range(self._prefix + start, stop):
            key = prefixed[size:]
            while ahead and ahead[-1] < key:
                first = ahead.pop()
                if (value := changed[first]) is not None:
                    yield first, value
            if key not in changed:
                yield key, self._decode(data)
        for key in reversed(ahead):
            if (value := changed[key]) is not None:
                yield key, value

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield what was put since the last commit or rollback, encoded: keys as in the changelog."""
        for key, value in self._uncommitted.items():
            self._encoded[key] = data = None if value is None else self._encode(value)
            yield key, data

    def backend_key(self, key: bytes) -> bytes:
        """The key of the backend for one of the changelog."""
        return self._prefix + key

    def commit(self) -> None:
        """Keep what was put since the last commit or rollback."""
        if self._uncommitted:
            self._unwritten.update(self._uncommitted)
            self._uncommitted.clear()

    def rollback(self) -> None:
        """Forget what was put since the last commit or rollback."""
        for key in self._uncommitted:
            self._encoded.pop(key, None)
        self._uncommitted.clear()

    def unwritten(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the committed changes that the backend does not have, encoded."""
        for key, value in self._unwritten.items():
            data = self._encoded.get(key, _UNKNOWN)
            if data is _UNKNOWN:
                data = None if value is None else self._encode(value)
            yield self._prefix + key, data

    def written(self) -> None:
        """Note that the backend has all that `unwritten` gave."""
        if self._is_cached:
            self._keep_in_memory(self._unwritten)
        self._unwritten, self._encoded, self._ordered = {}, {}, None

    def _keep_in_memory(self, written: dict[bytes, V | None]) -> None:
        if len(self._young) + len(written) > CACHED_VALUES:
            self._old, self._young = self._young, written
        else:
            self._young.update(written)

    def _in_order(self) -> list[bytes]:
        if self._ordered is None:
            self._ordered = sorted(self._unwritten.keys() | self._uncommitted.keys())
        return self._ordered

    def _changed(self, key: bytes) -> Any:
        """The value of a key that the backend does not have yet, or _UNKNOWN."""
        value = self._uncommitted.get(key, _UNKNOWN)
        return self._unwritten.get(key, _UNKNOWN) if value is _UNKNOWN else value

    def _has_new(self, key: bytes) -> bool:
        value = self._changed(key)
        return value is not None and value is not _UNKNOWN

    @property
    def unwritten_count(self) -> int:
        """How many committed changes the backend does not have."""
        return len(self._unwritten)

    @property
    def cached_count(self) -> int:
        """How many values are in memory, of some of them twice."""
        return len(self._young) + len(self._old)

    def _load(self, key: bytes) -> V | None:
        value = self._old.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            data = self._backend.get(self._prefix + key)
            value = None if data is None else self._decode(data)
        if self._is_cached:
            self._young[key] = value
        return value


class Committed(Generic[V]):
    """A store without uncommitted changes, as a Reader for any thread."""

    def __init__(self, store: Store[V]) -> None:
        self.get = store.committed
        self.range = store.committed_range
