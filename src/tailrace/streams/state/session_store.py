"""Stores of values by key and session that a processor of one's own has, for a while."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.state.expiry import Expiring, Expiry, expiry_spec
from tailrace.streams.state.kept import KeptBySession
from tailrace.streams.state.sessions import Session, SessionsSerde
from tailrace.streams.state.store import CHANGELOG_EXTRA_MS, Store, StoreSpec
from tailrace.streams.state.store_builder import Built
from tailrace.streams.state.stream_time import StreamTime
from tailrace.streams.windows import LATEST, Windowed

if TYPE_CHECKING:
    from tailrace.streams.task import Task

K = TypeVar("K")
V = TypeVar("V")
Kept = tuple[Session, ...]


class ExpiringSessions(Expiring[Kept]):
    """The sessions of each encoded key, each until its last time is `retention_ms` ago."""

    def __init__(self, store: Store[Kept], keys: Store[bool], retention_ms: int, time: StreamTime) -> None:
        super().__init__(store, retention_ms, _alive, time)
        self._expiry = Expiry(keys, retention_ms)

    def put(self, key: bytes, session: Session) -> None:
        """Set a session, in the place of the one of the same times; one that has expired is none."""
        first, last, _ = session
        if not self.has_expired(last):
            self._store.put(key, tuple(sorted((*self._others(key, first, last), session), key=_times)))
            self._expiry.expect(key, last)

    def remove(self, key: bytes, first: int, last: int) -> None:
        """Forget the session of these times."""
        others = self._others(key, first, last)
        if len(others) < len(self._store.get(key) or ()):
            self._store.put(key, others or None)
            span = self._expiry.span(last)
            if all(self._expiry.span(other) != span for _, other, _ in others):
                self._expiry.forget(key, last)

    def delete_expired(self, now_ms: int) -> None:
        """See Expiring."""
        for span, key in self._expiry.expired(now_ms):
            sessions = self._store.get(key) or ()
            self._store.put(key, tuple(each for each in sessions if self._expiry.span(each[1]) != span) or None)

    def reset(self) -> None:
        """See Expiring."""
        self._expiry.reset()

    def _others(self, key: bytes, first: int, last: int) -> Kept:
        return tuple(each for each in self._store.get(key) or () if each[:2] != (first, last))


class SessionStore(Generic[K, V]):
    """Values by key and session, of one task, until a session's end is as long ago as the retention says.

    Sessions are whatever one puts; those of a key are kept together, oldest first. What is put is part of the task's
    transaction, and undone with it. Times are milliseconds since 1970.
    """

    def __init__(self, sessions: ExpiringSessions, kept: KeptBySession) -> None:
        self._sessions = sessions
        self._kept = kept
        self._key: Serde[K] = kept.key

    def get(self, session: Windowed[K]) -> V | None:
        """The value of a session, or None."""
        value: V | None = self._kept.get(self._sessions, session)
        return value

    def put(self, session: Windowed[K], value: V) -> None:
        """Set the value of a session, unless that has expired.

        Values are not to be changed in place afterwards. Raises ValueError for a session that ends before it begins, or
        begins before 1970.
        """
        if not 0 <= session.start < session.end:
            raise ValueError(f"{self._kept.store}: {session} is no session; expected 0 <= start < end")
        self._sessions.put(self._key.encode(session.key), (session.start, session.end - 1, value))

    def remove(self, session: Windowed[K]) -> None:
        """Leave a session without a value."""
        self._sessions.remove(self._key.encode(session.key), session.start, session.end - 1)

    def fetch(self, key: K) -> Iterator[tuple[Windowed[K], V]]:
        """Yield the sessions of a key, oldest first."""
        return self.find(key)

    def find(self, key: K, earliest_end: int = 0, latest_start: int = LATEST) -> Iterator[tuple[Windowed[K], V]]:
        """Yield the sessions of a key that end at `earliest_end` or later and begin at `latest_start` or earlier.

        The end of a session is exclusive, one after its last record: a record at `time` is at most `gap` apart from
        those of `find(key, time - gap + 1, time + gap)`.
        """
        return self._kept.find(self._sessions, key, earliest_end, latest_start)

    def all(self) -> Iterator[tuple[Windowed[K], V]]:
        """Yield all sessions of all keys: by key, in the order of their bytes, then by start."""
        return self._kept.range(self._sessions, None, None)


@dataclass(frozen=True)
class SessionStoreBuilder:
    """Makes the session store of a name in each task."""

    kept: KeptBySession
    value: Serde[Any]
    changelog: bool
    retention_ms: int

    @property
    def specs(self) -> tuple[StoreSpec, ...]:
        """See StoreBuilder."""
        name, retention_ms = self.kept.store, self.retention_ms + CHANGELOG_EXTRA_MS
        sessions = StoreSpec(name, SessionsSerde(self.value), self.changelog, retention_ms)
        return sessions, expiry_spec(name, self.changelog)

    def build(self, task: "Task") -> Built:
        """See StoreBuilder."""
        store, keys = (task.store(spec.name) for spec in self.specs)
        sessions = ExpiringSessions(store, keys, self.retention_ms, task.time)
        return Built(SessionStore(sessions, self.kept), sessions.committed, sessions)


def _alive(key: bytes, kept: Kept, expired: int) -> Kept | None:
    return tuple(session for session in kept if session[1] > expired) or None


def _times(session: Session) -> tuple[int, int]:
    return session[:2]
