"""Stores that a processor of one's own has: typed keys and values, over a store of encoded keys."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.state.store import Store

K = TypeVar("K")
V = TypeVar("V")


class KeyValueStore(Generic[K, V]):
    """Values by key, of one task. What is put is part of the task's transaction, and undone with it."""

    def __init__(self, store: Store[V], key: Serde[K]) -> None:
        self._store = store
        self._key = key

    def get(self, key: K) -> V | None:
        """The value of a key, or None."""
        return self._store.get(self._key.encode(key))

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. Values are not to be changed in place afterwards."""
        self._store.put(self._key.encode(key), value)

    def delete(self, key: K) -> None:
        """Leave a key without a value."""
        self._store.put(self._key.encode(key), None)

    def range(self, first: K | None = None, last: K | None = None) -> Iterator[tuple[K, V]]:
        """Yield keys and values from `first` to `last`, inclusive, in the order of the keys' bytes; None is open."""
        start = b"" if first is None else self._key.encode(first)
        end = None if last is None else self._key.encode(last) + b"\0"
        for key, value in self._store.range(start, end):
            yield self._key.decode(key), value

    def all(self) -> Iterator[tuple[K, V]]:
        """Yield all keys and values, in the order of the keys' bytes."""
        return self.range()
