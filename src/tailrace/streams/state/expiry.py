"""What is kept for a while only, by the time of its task: gone for readers at once, and deleted soon after."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from tailrace.registry.serde import NumberSerde
from tailrace.streams.state.store import Committed, Reader, Store, StoreSpec
from tailrace.streams.state.stream_time import StreamTime
from tailrace.streams.state.windows import ByTime
from tailrace.streams.windows import START

V = TypeVar("V")

# In how many steps what a lifetime is long is deleted. A step costs a look at the store, and is one burst of deletions.
STEPS = 64

PRESENT: NumberSerde[bool] = NumberSerde("?")

# What of an entry, given key and what is kept, is of a time later than a given one; None is nothing.
Alive = Callable[[bytes, Any, int], V | None]


class Unexpired(Generic[V]):
    """A store without what is as old as `lifetime_ms` or older; `alive` says of each entry what is not."""

    def __init__(self, reader: Reader[Any], lifetime_ms: int, alive: Alive[V], now: Callable[[], int]) -> None:
        self._reader = reader
        self._lifetime_ms = lifetime_ms
        self._alive = alive
        self._now = now

    def get(self, key: bytes) -> V | None:
        """See Reader."""
        kept = self._reader.get(key)
        return None if kept is None else self._alive(key, kept, self._now() - self._lifetime_ms)

    def range(self, start: bytes, end: bytes | None) -> Iterator[tuple[bytes, V]]:
        """See Reader."""
        expired = self._now() - self._lifetime_ms
        alive = ((key, self._alive(key, kept, expired)) for key, kept in self._reader.range(start, end))
        return ((key, value) for key, value in alive if value is not None)


class Expiring(Unexpired[V]):
    """A store of which something is deleted as time goes on, each time that it passes a multiple of `step_ms`.

    `committed`: what other threads read of it.
    """

    def __init__(self, store: Store[Any], lifetime_ms: int, alive: Alive[V], time: StreamTime) -> None:
        super().__init__(store, lifetime_ms, alive, lambda: time.now)
        self.committed = Unexpired(Committed(store), lifetime_ms, alive, lambda: time.committed)
        self.step_ms = step_ms(lifetime_ms)
        self._store = store
        self._time = time

    def has_expired(self, time_ms: int) -> bool:
        """Whether what is of a time is too old to be kept."""
        return time_ms + self._lifetime_ms <= self._time.now

    def delete_expired(self, now_ms: int) -> None:
        """Delete what has expired at a time."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what is known: the store has changed behind one's back."""
        raise NotImplementedError


class Expiry:
    """Which keys of a store have something that expires, and when: by spans of time, in a store of its own.

    It is state like all other, so nobody has to look through a store to find what is old. A key that goes on in the
    same span changes nothing here.
    """

    def __init__(self, store: Store[bool], lifetime_ms: int) -> None:
        self._keys = ByTime(store)
        self._store = store
        self._span_ms = step_ms(lifetime_ms)
        self._length_ms = lifetime_ms + self._span_ms - 1
        self.reset = self._keys.reset

    def span(self, time_ms: int) -> int:
        """The start of the span that a time is in."""
        return time_ms - time_ms % self._span_ms

    def expect(self, key: bytes, time_ms: int) -> None:
        """Note that a key has something of a time."""
        place = START.encode(self.span(time_ms)) + key
        if self._store.get(place) is None:
            self._store.put(place, True)

    def forget(self, key: bytes, time_ms: int) -> None:
        """Note that a key has nothing any more of the span of a time."""
        self._store.put(START.encode(self.span(time_ms)) + key, None)

    def expired(self, now_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield start of span and key for all that has expired at a time, and forget it; spans are of one age."""
        for start, key, _ in self._keys.take(now_ms - self._length_ms + 1):
            yield start, key


class Sweep:
    """Has what expired deleted as the time of records goes on; counts as a punctuation.

    After a start or a rollback it is due at once: what was deleted before is not there to be deleted again.
    """

    def __init__(self, store: Expiring[Any]) -> None:
        self._store = store
        self.due = -1

    def expect_after(self, now_ms: int) -> None:
        """See Punctuation."""
        self._store.reset()
        self.due = -1

    def call(self, now_ms: int) -> None:
        """Delete what has expired at the latest multiple of the step, if that was not done yet."""
        if now_ms >= self.due:
            latest = now_ms - now_ms % self._store.step_ms
            self._store.delete_expired(latest)
            self.due = latest + self._store.step_ms


def step_ms(lifetime_ms: int) -> int:
    """How much time passes between two deletions of what has expired."""
    return max(lifetime_ms // STEPS, 1)


def expiry_spec(store: str, changelog: bool) -> StoreSpec:
    """The store that an Expiry of a store has; it is emptied as time goes on, so its changelog needs no retention."""
    return StoreSpec(f"{store}-expiry", PRESENT, changelog)
