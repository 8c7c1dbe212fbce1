"""Stores of values by key that a processor of one's own has: typed keys, over a store of encoded ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tailrace.registry.serde import Serde
from tailrace.streams.state.kept import KeptByKey
from tailrace.streams.state.store import Committed, Reader, StoreSpec
from tailrace.streams.state.store_builder import Built

if TYPE_CHECKING:
    from tailrace.streams.task import Task

K = TypeVar("K")
V = TypeVar("V")


class Values(Reader[V], Protocol[V]):
    """A store of encoded keys."""

    def put(self, key: bytes, value: V | None) -> None:
        """Set a value, or delete it."""


class KeyValueStore(Generic[K, V]):
    """Values by key, of one task. What is put is part of the task's transaction, and undone with it.

    Where the store has a time to live, a value is there until time has gone on so far since it was put.
    """

    def __init__(self, values: Values[V], kept: KeptByKey) -> None:
        self._values = values
        self._kept = kept
        self._key: Serde[K] = kept.key

    def get(self, key: K) -> V | None:
        """The value of a key, or None."""
        return self._values.get(self._key.encode(key))

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. Values are not to be changed in place afterwards."""
        self._values.put(self._key.encode(key), value)

    def delete(self, key: K) -> None:
        """Leave a key without a value."""
        self._values.put(self._key.encode(key), None)

    def range(self, first: K | None = None, last: K | None = None) -> Iterator[tuple[K, V]]:
        """Yield keys and values from `first` to `last`, inclusive, in the order of the keys' bytes; None is open."""
        return self._kept.range(self._values, first, last)

    def all(self) -> Iterator[tuple[K, V]]:
        """Yield all keys and values, in the order of the keys' bytes."""
        return self.range()


@dataclass(frozen=True)
class KeyValueStoreBuilder:
    """Makes the key-value store of a name in each task."""

    kept: KeptByKey
    value: Serde[Any]
    changelog: bool

    @property
    def specs(self) -> tuple[StoreSpec, ...]:
        """See StoreBuilder."""
        return (StoreSpec(self.kept.store, self.value, self.changelog),)

    def build(self, task: "Task") -> Built:
        """See StoreBuilder."""
        store = task.store(self.kept.store)
        return Built(KeyValueStore(store, self.kept), Committed(store))
