"""Tables: the latest value of each key of a topic, and where it stands there."""

import struct
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from tailrace.streams.record import Record
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.store import Store

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

    def get(self, key: str) -> Entry[Any] | None:
        """The latest entry of a key."""


class TableStore(Generic[V]):
    """A table's content; the topic is its changelog, so values are kept as they were written."""

    def __init__(self, name: str, backend: Backend, decode: Callable[[bytes], V]) -> None:
        self._decode = decode
        self.store: Store[Entry[V]] = Store(name, backend, _encode_entry, self._decode_entry)
        self.get = self.store.get

    def apply(self, key: str, record: Record) -> None:
        """Fold one record of the topic; no value deletes the key. Raises SerdeError for bytes it cannot decode.

        Tables are not part of a task's transaction: what is applied stays.
        """
        encoded = record.value()
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
