"""Tables that are looked up: the latest value of each key of a topic, and where it stands there."""

import struct
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.record import Record
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.store import Store

K = TypeVar("K")
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

_POSITION = struct.Struct(">iqq")


class Entry(Struct, Generic[V], frozen=True):
    """A table's value for a key, and the record it came from; `timestamp` in milliseconds since 1970."""

    value: V
    partition: int
    offset: int
    timestamp: int
    encoded: bytes


class TableReader(Protocol[V_co]):
    """What a decision sees of a table."""

    def get(self, key: Any) -> Entry[Any] | None:
        """The latest entry of a key."""


class TableStore(Generic[K, V]):
    """A table's content; the topic is its changelog, so values are kept as they were written."""

    def __init__(self, name: str, backend: Backend, key: Serde[K], value: Serde[V]) -> None:
        self._encode_key = key.encode
        self._decode = value.decode
        self.store: Store[Entry[V]] = Store(name, backend, _encode_entry, self._decode_entry)

    def get(self, key: K) -> Entry[V] | None:
        """The latest entry of a key."""
        return self.store.get(self._encode_key(key))

    def apply(self, record: Record) -> None:
        """Fold one record of the topic; no value deletes the key. Raises SerdeError for one it cannot decode.

        Tables that are only looked up are not part of a task's transaction: what is applied stays.
        """
        key, encoded = record.key(), record.value()
        if key is None:
            raise SerdeError("the record has no key")
        if encoded is None:
            self.store.put(key, None)
            return
        value = self._decode(encoded)
        self.store.put(key, Entry(value, record.partition(), record.offset(), record.timestamp()[1], encoded))

    def _decode_entry(self, data: bytes) -> Entry[V]:
        encoded = data[_POSITION.size :]
        partition, offset, timestamp = _POSITION.unpack_from(data)
        return Entry(self._decode(encoded), partition, offset, timestamp, encoded)


def _encode_entry(entry: Entry[Any]) -> bytes:
    return _POSITION.pack(entry.partition, entry.offset, entry.timestamp) + entry.encoded
