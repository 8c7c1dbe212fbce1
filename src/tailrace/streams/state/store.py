"""A typed store of one task: decoded values in memory, undo of what was not committed, encoding once per write."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from tailrace.streams.state.backend import Backend

V = TypeVar("V")

# How many decoded values a store keeps in memory, at most twice this number.
CACHED_VALUES = 25_000

_UNKNOWN: Any = object()


class Store(Generic[V]):
    """Values by key, over a backend that is shared with the task's other stores.

    A `put` is seen at once, is kept by `commit` and forgotten by `rollback`, and reaches the backend when the task
    writes what `unwritten` gives. None means that there is no value.
    """

    def __init__(self, name: str, backend: Backend, encode: Callable[[V], bytes], decode: Callable[[bytes], V]) -> None:
        self._prefix = name.encode() + b"\0"
        self._backend = backend
        self._encode = encode
        self._decode = decode
        self._uncommitted: dict[str, V | None] = {}
        self._unwritten: dict[str, V | None] = {}
        # Two generations: what was not asked for during a whole one is dropped with it.
        self._young: dict[str, V | None] = {}
        self._old: dict[str, V | None] = {}

    def get(self, key: str) -> V | None:
        """The value of a key, uncommitted changes included."""
        value = self._uncommitted.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._young.get(key, _UNKNOWN)
            if value is _UNKNOWN:
                value = self._load(key)
        return value

    def put(self, key: str, value: V | None) -> None:
        """Set a value within the current transaction."""
        self._uncommitted[key] = value

    def commit(self) -> None:
        """Keep what was put since the last commit or rollback."""
        if self._uncommitted:
            self._unwritten.update(self._uncommitted)
            self._young.update(self._uncommitted)
            self._uncommitted.clear()

    def rollback(self) -> None:
        """Forget what was put since the last commit or rollback."""
        self._uncommitted.clear()

    def unwritten(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the committed changes that the backend does not have, encoded."""
        for key, value in self._unwritten.items():
            yield self._prefix + key.encode(), None if value is None else self._encode(value)

    def written(self) -> None:
        """Note that the backend has all that `unwritten` gave."""
        self._unwritten.clear()
        if len(self._young) > CACHED_VALUES:
            self._old, self._young = self._young, {}

    def _load(self, key: str) -> V | None:
        value = self._old.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            data = self._backend.get(self._prefix + key.encode())
            value = None if data is None else self._decode(data)
        self._young[key] = value
        return value
