"""One side of a join of streams in one task: the records that the other side may still meet."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.state.store import Store
from tailrace.streams.state.windows import OpenWindows
from tailrace.streams.windows import START

# Time in milliseconds since 1970, value, and the value as it is written.
Entry = tuple[int, Any, bytes]


class EntriesSerde:
    """Entries as msgpack, with their values as they are."""

    def __init__(self, value: Serde[Any]) -> None:
        self._value = value
        self._decoder = msgspec.msgpack.Decoder(list[tuple[int, bytes]])

    def encode(self, value: tuple[Entry, ...]) -> bytes:
        """Give the bytes of entries."""
        return msgspec.msgpack.encode([(time, data) for time, _, data in value])

    def decode(self, data: bytes) -> tuple[Entry, ...]:
        """Give the entries of bytes."""
        try:
            entries = self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise SerdeError(f"{data[:50]!r} is no list of entries: {error}") from error
        return tuple((time, self._value.decode(written), written) for time, written in entries)


class JoinBuffer:
    """Records by key and time, in buckets of `bucket_ms`; each can be met until its time is `open_ms` ago.

    `lonely`: the store of those that nobody met yet, if they are passed on when they cannot be met any more.
    """

    def __init__(self, records: OpenWindows, lonely: OpenWindows | None, bucket_ms: int, open_ms: int) -> None:
        self._records = records
        self._buckets: Store[tuple[Entry, ...]] = records.store
        self._lonely = lonely
        self._bucket_ms = bucket_ms
        self._open_ms = open_ms

    @property
    def due(self) -> int:
        """When `closed` has something to do next, or earlier."""
        return self._records.due if self._lonely is None else min(self._records.due, self._lonely.due)

    def add(self, key: bytes, time: int, value: Any, data: bytes) -> int:
        """Take a record in, and give its number within its bucket."""
        start = time - time % self._bucket_ms
        place = START.encode(start) + key
        entries = self._buckets.get(place)
        if entries is None:
            entries = ()
            self._records.opened(start)
        self._buckets.put(place, (*entries, (time, value, data)))
        return len(entries)

    def wait(self, key: bytes, time: int, number: int, value: Any, data: bytes) -> None:
        """Note that nobody has met a record yet."""
        if self._lonely is not None:
            self._lonely.store.put(_place(key, time, number), ((time, value, data),))
            self._lonely.opened(time)

    def meet(self, key: bytes, first: int, last: int, now: int) -> list[Entry]:
        """Give the records from time `first` to `last`, inclusive, that can be met at time `now`."""
        found: list[Entry] = []
        earliest = max(first, now - self._open_ms + 1)
        for start in range(max(first, 0) // self._bucket_ms * self._bucket_ms, last + 1, self._bucket_ms):
            for number, entry in enumerate(self._buckets.get(START.encode(start) + key) or ()):
                if earliest <= entry[0] <= last:
                    found.append(entry)
                    self._met(key, entry[0], number)
        return found

    def closed(self, now: int) -> Iterator[tuple[int, bytes, Any]]:
        """Forget what cannot be met any more, and yield time, key and value of what nobody has met."""
        if self._lonely is not None:
            for time, place, ((_, value, _),) in self._lonely.closed(now):
                yield time, place[8:], value
        for _ in self._records.closed(now):
            pass

    def _met(self, key: bytes, time: int, number: int) -> None:
        if self._lonely is not None:
            place = _place(key, time, number)
            if self._lonely.store.get(place) is not None:
                self._lonely.store.put(place, None)


def _place(key: bytes, time: int, number: int) -> bytes:
    return START.encode(time) + START.encode(number) + key
