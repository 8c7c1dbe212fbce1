"""Produce requests, read by hand: the batches are not copied but seen through, which `kio` cannot do.

The message is that of Kafka's ProduceRequest.json, versions 3 to 11; since 9 it has compact strings and tagged fields.
"""

from __future__ import annotations

import struct

import msgspec

from tailrace.wire.array_check import ITEMS_MAX
from tailrace.wire.header import skip_tagged_fields
from tailrace.wire.varint import read_unsigned_varint

COMPACT_SINCE = 9
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_ACKS_AND_TIMEOUT = struct.Struct(">hi")


class PartitionProduceData(msgspec.Struct):
    """The batch for one partition."""

    index: int
    records: memoryview | None


class TopicProduceData(msgspec.Struct):
    """The batches for one topic."""

    name: str
    partition_data: list[PartitionProduceData]


class ProduceRequest(msgspec.Struct):
    """What a producer wants to be appended; `timeout_ms` has no use without replicas."""

    transactional_id: str | None
    acks: int
    timeout_ms: int
    topic_data: list[TopicProduceData]


class MalformedProduceRequest(Exception):
    """Bytes that are no Produce request."""


def read_produce_request(version: int, data: memoryview, position: int) -> ProduceRequest:
    """The request whose body begins at `position`. Raises for malformed bytes; any exception means that."""
    read = _CompactReader(data, position) if version >= COMPACT_SINCE else _Reader(data, position)
    transactional_id = read.nullable_string()
    acks, timeout_ms = _ACKS_AND_TIMEOUT.unpack_from(data, read.position)
    read.position += _ACKS_AND_TIMEOUT.size
    topics = [_read_topic(read) for _ in range(read.count())]
    read.tags()
    return ProduceRequest(transactional_id, acks, timeout_ms, topics)


def _read_topic(read: _Reader) -> TopicProduceData:
    name = read.nullable_string()
    if name is None:
        raise MalformedProduceRequest("a topic without name")
    partitions = [_read_partition(read) for _ in range(read.count())]
    read.tags()
    return TopicProduceData(name, partitions)


def _read_partition(read: _Reader) -> PartitionProduceData:
    index = read.int32()
    records = read.nullable_bytes()
    read.tags()
    return PartitionProduceData(index, records)


class _Reader:
    """Reads one field after the other, in the form of older versions."""

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._items = 0
        self.position = position

    def int32(self) -> int:
        value: int = _INT32.unpack_from(self._data, self.position)[0]
        self.position += _INT32.size
        return value

    def count(self) -> int:
        """Of an array's items, each of which takes a byte at least."""
        return self._counted(self.int32())

    def nullable_string(self) -> str | None:
        size: int = _INT16.unpack_from(self._data, self.position)[0]
        self.position += _INT16.size
        return None if size == -1 else str(self._take(size), "utf-8")

    def nullable_bytes(self) -> memoryview | None:
        size = self.int32()
        return None if size == -1 else self._take(size)

    def tags(self) -> None:
        """There are none."""

    def _counted(self, count: int) -> int:
        self._items += count
        if self._items > ITEMS_MAX:
            raise MalformedProduceRequest(f"{self._items:,} topics and partitions, expected at most {ITEMS_MAX:,}")
        return self._possible(count)

    def _take(self, size: int) -> memoryview:
        start, self.position = self.position, self.position + self._possible(size)
        return self._data[start : self.position]

    def _possible(self, size: int) -> int:
        left = len(self._data) - self.position
        if not 0 <= size <= left:
            raise MalformedProduceRequest(f"{size:,} bytes or items are announced where {left:,} bytes are left")
        return size


class _CompactReader(_Reader):
    """Reads the form of newer versions, with sizes as varints, one greater than they are."""

    def count(self) -> int:
        return self._counted(self._varint() - 1)

    def nullable_string(self) -> str | None:
        size = self._varint() - 1
        return None if size == -1 else str(self._take(size), "utf-8")

    def nullable_bytes(self) -> memoryview | None:
        size = self._varint() - 1
        return None if size == -1 else self._take(size)

    def tags(self) -> None:
        self.position = skip_tagged_fields(self._data, self.position)

    def _varint(self) -> int:
        value, self.position = read_unsigned_varint(self._data, self.position)
        return value
