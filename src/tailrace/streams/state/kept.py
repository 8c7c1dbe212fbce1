"""How tables, and what processors keep, lie in stores, for who reads them by their own keys: by key, or in windows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tailrace.registry.serde import Serde
from tailrace.streams.state.store import Reader
from tailrace.streams.windows import LATEST, START, Windowed

# What a table gives of what is kept.
Result = Callable[[Any], Any]
# What is kept under one key of a store: keys and values of the table.
Entries = Iterable[tuple[Any, Any]]
# Keys of a store from one, inclusive, to another, exclusive or None for the last.
Bounds = tuple[bytes, bytes | None]


def itself(kept: Any) -> Any:
    """Give what is kept as it is."""
    return kept


class Kept(Protocol):
    """A table in a store, of which a Reader reads: all there is for the task, what is committed for others."""

    @property
    def store(self) -> str:
        """Name of the store."""

    @property
    def key(self) -> Serde[Any]:
        """How keys are written, which are those of the records; of windows it is the key within them."""

    def get(self, reader: Reader[Any], key: Any) -> Any:
        """The value of a key, or None."""

    def range(self, reader: Reader[Any], first: Any, last: Any) -> Iterator[tuple[Any, Any]]:
        """Yield keys and values from `first` to `last`, inclusive; None is open."""

    def entries(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, Entries]]:
        """Yield the store's keys from `start`, inclusive, to `end`, exclusive or None, and what is kept under each."""

    def fetch(self, reader: Reader[Any], key: Any, earliest: int, latest: int) -> Iterator[tuple[Any, Any]]:
        """Yield the windows of a key that begin from `earliest` to `latest`, inclusive, and their values."""


@dataclass(frozen=True)
class KeptByKey:
    """One value for each key; keys in the order of their bytes."""

    store: str
    key: Serde[Any]
    result: Result = itself

    def get(self, reader: Reader[Any], key: Any) -> Any:
        """See Kept."""
        kept = reader.get(self.key.encode(key))
        return None if kept is None else self.result(kept)

    def range(self, reader: Reader[Any], first: Any, last: Any) -> Iterator[tuple[Any, Any]]:
        """See Kept."""
        start = b"" if first is None else self.key.encode(first)
        end = None if last is None else self.key.encode(last) + b"\0"
        for key, kept in reader.range(start, end):
            yield self.key.decode(key), self.result(kept)

    def entries(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, Entries]]:
        """See Kept."""
        for key, kept in reader.range(start, end):
            yield key, ((self.key.decode(key), self.result(kept)),)

    def fetch(self, reader: Reader[Any], key: Any, earliest: int, latest: int) -> Iterator[tuple[Any, Any]]:
        """See Kept; there are no windows."""
        raise TypeError(f"{self.store} has no windows; get gives the value of a key")


@dataclass(frozen=True)
class KeptByWindow:
    """One value for each window of a fixed size and each key, by the window's start; those that are open."""

    store: str
    key: Serde[Any]
    size_ms: int
    result: Result = itself

    def get(self, reader: Reader[Any], key: Windowed[Any]) -> Any:
        """See Kept."""
        kept = reader.get(START.encode(key.start) + self.key.encode(key.key))
        return None if kept is None else self.result(kept)

    def range(self, reader: Reader[Any], first: Any, last: Any) -> Iterator[tuple[Any, Any]]:
        """See Kept; by start and then key."""
        start = b"" if first is None else START.encode(first.start) + self.key.encode(first.key)
        end = None if last is None else START.encode(last.start) + self.key.encode(last.key) + b"\0"
        return self._windows(reader, start, end)

    def entries(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, Entries]]:
        """See Kept."""
        for place, kept in reader.range(start, end):
            yield place, ((self._windowed(self.key.decode(place[8:]), START.decode(place[:8])), self.result(kept)),)

    def between(self, earliest: int, latest: int) -> Bounds:
        """Where the windows are in the store that begin from `earliest` to `latest`, inclusive."""
        return START.encode(max(earliest, 0)), START.encode(min(latest, LATEST) + 1)

    def fetch(self, reader: Reader[Any], key: Any, earliest: int, latest: int) -> Iterator[tuple[Any, Any]]:
        """See Kept."""
        encoded, end = self.key.encode(key), START.encode(min(latest, LATEST) + 1)
        # From one start that any key has to the next: there are few of them, and many keys.
        while (entry := next(reader.range(START.encode(max(earliest, 0)), end), None)) is not None:
            start = START.decode(entry[0][:8])
            if (kept := reader.get(START.encode(start) + encoded)) is not None:
                yield self._windowed(key, start), self.result(kept)
            earliest = start + 1

    def fetch_all(self, reader: Reader[Any], earliest: int, latest: int) -> Iterator[tuple[Windowed[Any], Any]]:
        """Yield the windows of all keys that begin from `earliest` to `latest`, inclusive, by start and then key."""
        return self._windows(reader, *self.between(earliest, latest))

    def _windows(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[Windowed[Any], Any]]:
        for place, kept in reader.range(start, end):
            yield self._windowed(self.key.decode(place[8:]), START.decode(place[:8])), self.result(kept)

    def _windowed(self, key: Any, start: int) -> Windowed[Any]:
        return Windowed(key, start, start + self.size_ms)


@dataclass(frozen=True)
class KeptBySession:
    """The sessions of each key that are open."""

    store: str
    key: Serde[Any]
    result: Result = itself

    def get(self, reader: Reader[Any], key: Windowed[Any]) -> Any:
        """See Kept."""
        found = self._sessions(key.key, reader.get(self.key.encode(key.key)))
        return next((value for windowed, value in found if windowed == key), None)

    def range(self, reader: Reader[Any], first: Any, last: Any) -> Iterator[tuple[Any, Any]]:
        """See Kept; by key and then start."""
        start = b"" if first is None else self.key.encode(first.key)
        end = None if last is None else self.key.encode(last.key) + b"\0"
        for encoded, sessions in reader.range(start, end):
            yield from self._sessions(self.key.decode(encoded), sessions)

    def entries(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, Entries]]:
        """See Kept."""
        for encoded, sessions in reader.range(start, end):
            yield encoded, self._sessions(self.key.decode(encoded), sessions)

    def fetch(self, reader: Reader[Any], key: Any, earliest: int, latest: int) -> Iterator[tuple[Any, Any]]:
        """See Kept."""
        for windowed, value in self._sessions(key, reader.get(self.key.encode(key))):
            if earliest <= windowed.start <= latest:
                yield windowed, value

    def find(
        self, reader: Reader[Any], key: Any, earliest_end: int, latest_start: int
    ) -> Iterator[tuple[Windowed[Any], Any]]:
        """Yield the sessions of a key that end at `earliest_end` or later and begin at `latest_start` or earlier."""
        for windowed, value in self._sessions(key, reader.get(self.key.encode(key))):
            if earliest_end <= windowed.end and windowed.start <= latest_start:
                yield windowed, value

    def _sessions(self, key: Any, sessions: Any) -> Iterator[tuple[Windowed[Any], Any]]:
        for first, last, kept in sessions or ():
            yield Windowed(key, first, last + 1), self.result(kept)


@dataclass(frozen=True)
class KeptRows:
    """The results of a join by a foreign key, of which the two values are kept: `joiner(key, left, right)`."""

    store: str
    key: Serde[Any]
    joiner: Callable[[Any, Any, Any], Any]

    def get(self, reader: Reader[Any], key: Any) -> Any:
        """See Kept."""
        row = reader.get(self.key.encode(key))
        return None if row is None else self.joiner(key, row.left, row.right)

    def range(self, reader: Reader[Any], first: Any, last: Any) -> Iterator[tuple[Any, Any]]:
        """See Kept."""
        start = b"" if first is None else self.key.encode(first)
        end = None if last is None else self.key.encode(last) + b"\0"
        for encoded, row in reader.range(start, end):
            key = self.key.decode(encoded)
            if (value := self.joiner(key, row.left, row.right)) is not None:
                yield key, value

    def entries(self, reader: Reader[Any], start: bytes, end: bytes | None) -> Iterator[tuple[bytes, Entries]]:
        """See Kept."""
        for encoded, row in reader.range(start, end):
            key = self.key.decode(encoded)
            value = self.joiner(key, row.left, row.right)
            yield encoded, () if value is None else ((key, value),)

    def fetch(self, reader: Reader[Any], key: Any, earliest: int, latest: int) -> Iterator[tuple[Any, Any]]:
        """See Kept; there are no windows."""
        raise TypeError(f"{self.store} has no windows; get gives the value of a key")


def key_bounds(key: Serde[Any], first: Any, last: Any) -> Bounds:
    """Where the keys from `first` to `last`, inclusive, are in a store by key; None is open."""
    return b"" if first is None else key.encode(first), None if last is None else key.encode(last) + b"\0"
