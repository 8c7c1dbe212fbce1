"""The sessions of one step in one task: those of a key together, and when the next one closes."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import msgspec

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.state.store import Store
from tailrace.streams.state.windows import NEVER
from tailrace.streams.windows import START

# Times of the first and of the last record, in milliseconds since 1970, and the aggregate of all.
Session = tuple[int, int, Any]


class SessionsSerde:
    """The sessions of a key as msgpack, with their aggregates in bytes of their own."""

    def __init__(self, aggregate: Serde[Any]) -> None:
        self._aggregate = aggregate
        self._decoder = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]])

    def encode(self, value: tuple[Session, ...]) -> bytes:
        """Give the bytes of sessions."""
        return msgspec.msgpack.encode([(first, last, self._aggregate.encode(kept)) for first, last, kept in value])

    def decode(self, data: bytes) -> tuple[Session, ...]:
        """Give the sessions of bytes."""
        try:
            sessions = self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise SerdeError(f"{data[:50]!r} is no list of sessions: {error}") from error
        return tuple((first, last, self._aggregate.decode(kept)) for first, last, kept in sessions)


class OpenSessions:
    """The aggregates of sessions that have not closed.

    `due`: when the first of them closes, or earlier; `closed` finds out. `gap_ms`: how far apart records of a session
    are at most; `open_ms`: from a session's last record until it closes.
    """

    def __init__(self, store: Store[tuple[Session, ...]], gap_ms: int, open_ms: int) -> None:
        self._store = store
        self._gap_ms = gap_ms
        self._open_ms = open_ms
        # When sessions of a key might close; some have gone on since, and are looked at again then.
        self._closings: list[tuple[int, bytes]] | None = None
        self.due = -1

    def met(self, key: bytes, time: int) -> tuple[list[Session], int, int]:
        """Give the sessions that a record makes one, oldest first, and the span of that, with the record."""
        earliest, latest = time - self._gap_ms, time + self._gap_ms
        met = [session for session in self._store.get(key) or () if earliest <= session[1] and session[0] <= latest]
        return met, min([time, *(first for first, _, _ in met)]), max([time, *(last for _, last, _ in met)])

    def replace(self, key: bytes, met: list[Session], session: Session) -> None:
        """Put a session in the place of those that it is made of."""
        others = (each for each in self._store.get(key) or () if each not in met)
        self._store.put(key, tuple(sorted((*others, session), key=_first)))
        self._expect(session[1] + self._open_ms, key)

    def at(self, windowed: bytes) -> Any:
        """Give the aggregate of a session by its key as SessionSerde writes it, or None."""
        last, first = START.decode(windowed[-16:-8]), START.decode(windowed[-8:])
        sessions = self._store.get(windowed[:-16]) or ()
        return next((kept for start, end, kept in sessions if (start, end) == (first, last)), None)

    def reset(self) -> None:
        """Forget what is known: the store has changed behind one's back."""
        self._closings, self.due = None, -1

    def closed(self, now: int) -> Iterator[tuple[int, int, bytes, Any]]:
        """Yield first and last time, encoded key and aggregate of all sessions that have closed, and forget them."""
        closings = self._find_closings()
        while closings and closings[0][0] <= now:
            _, key = heappop(closings)
            sessions = self._store.get(key) or ()
            closed = [session for session in sessions if session[1] + self._open_ms <= now]
            if closed:
                self._store.put(key, tuple(s for s in sessions if s not in closed) or None)
                for first, last, aggregate in closed:
                    yield first, last, key, aggregate
        self.due = closings[0][0] if closings else NEVER

    def _expect(self, closing: int, key: bytes) -> None:
        if self._closings is not None:
            heappush(self._closings, (closing, key))
            self.due = min(self.due, closing)

    def _find_closings(self) -> list[tuple[int, bytes]]:
        if self._closings is None:
            everything = self._store.range(b"", None)
            self._closings = sorted((last + self._open_ms, key) for key, all_ in everything for _, last, _ in all_)
        return self._closings


def _first(session: Session) -> int:
    return session[0]
