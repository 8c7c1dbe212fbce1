"""Record batches, magic 2 (KIP-98): the form in which records travel and are stored.

A broker looks at the header only. The CRC covers byte 21 to the end, so the base offset and the leader epoch in front
of it are written by the broker without touching the rest; records are not decompressed to be appended or read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from crc32c import crc32c

from tailrace.wire.compression import CannotDecompress, Compression, compress, decompress
from tailrace.wire.varint import read_varint, varint

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES = HEADER.size
OFFSET_AND_LENGTH = struct.Struct(">qi")
LEADING = struct.Struct(">qii")  # what a broker rewrites: base offset, length, leader epoch
LOG_OVERHEAD_BYTES = OFFSET_AND_LENGTH.size
MAGIC = 2
OLD_MAGIC = (0, 1)  # messages of before Kafka 0.11
RECORD_BYTES_MIN = 7  # length, attributes, two deltas, no key, no value, no headers
CRC_POSITION = 17
CRC_START = 21

COMPRESSION_MASK = 0x07
LOG_APPEND_TIME_BIT = 0x08
TRANSACTIONAL_BIT = 0x10
CONTROL_BIT = 0x20
DELETE_HORIZON_BIT = 0x40

NO_PRODUCER_ID = -1
NO_SEQUENCE = -1
NO_TIMESTAMP = -1
MAX_SEQUENCE = 2**31 - 1


class CorruptBatch(Exception):
    """Bytes that are not a valid record batch."""


class MalformedBatch(CorruptBatch):
    """Bytes that are not one whole batch of the present format, or a batch whose counts do not fit."""


class ControlType(IntEnum):
    """What a control record says; see KIP-98."""

    ABORT = 0
    COMMIT = 1


class BatchHeader(NamedTuple):
    """The header of a record batch, as it is on the wire."""

    base_offset: int
    batch_length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.batch_length + LOG_OVERHEAD_BYTES

    @property
    def last_offset(self) -> int:
        """Offset of the last record, inclusive."""
        return self.base_offset + self.last_offset_delta

    @property
    def last_sequence(self) -> int:
        """Sequence of the last record, inclusive; sequences wrap to 0 after 2^31-1."""
        return add_sequence(self.base_sequence, self.last_offset_delta)

    @property
    def is_transactional(self) -> bool:
        """Whether the records belong to a transaction."""
        return bool(self.attributes & TRANSACTIONAL_BIT)

    @property
    def is_control(self) -> bool:
        """Whether this is a transaction marker."""
        return bool(self.attributes & CONTROL_BIT)

    @property
    def has_append_time(self) -> bool:
        """Whether all records have the broker's time, `max_timestamp`, instead of their own."""
        return bool(self.attributes & LOG_APPEND_TIME_BIT)

    @property
    def delete_horizon_ms(self) -> int | None:
        """From when on compaction may drop its tombstones or marker; it is in the base timestamp (KIP-534)."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON_BIT else None

    @property
    def compression(self) -> int:
        """The codec's number; values above 4 are not defined."""
        return self.attributes & COMPRESSION_MASK


class Record(NamedTuple):
    """One record with its absolute offset and timestamp."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def add_sequence(sequence: int, count: int) -> int:
    """The sequence `count` after `sequence`."""
    return (sequence + count) & MAX_SEQUENCE


def parse_header(data: bytes | memoryview, position: int = 0) -> BatchHeader:
    """Header of the batch that starts at `position`, unchecked. Raises CorruptBatch when there are too few bytes."""
    try:
        return BatchHeader._make(HEADER.unpack_from(data, position))
    except struct.error:
        raise CorruptBatch(f"{len(data) - position} bytes cannot hold a batch header of {HEADER_BYTES} bytes") from None


def check_batch(batch: bytes | memoryview) -> BatchHeader:
    """Header of the one batch that `batch` must hold, after checking length, magic, counts and CRC.

    Raises MalformedBatch, or CorruptBatch when the CRC is wrong.
    """
    if len(batch) < HEADER_BYTES:
        raise MalformedBatch(f"{len(batch)} bytes cannot hold a batch header of {HEADER_BYTES} bytes")
    header = parse_header(batch)
    if header.magic != MAGIC:
        kind = MalformedBatch if header.magic in OLD_MAGIC else CorruptBatch
        raise kind(f"magic {header.magic}, expected {MAGIC}; the client's message format is too old")
    if header.size != len(batch):
        raise MalformedBatch(f"batch length says {header.size} bytes, got {len(batch)}; expected exactly one batch")
    actual = crc32c(memoryview(batch)[CRC_START:])
    if actual != header.crc:
        raise CorruptBatch(f"CRC {actual:#010x}, expected {header.crc:#010x}")
    if header.last_offset_delta < 0 or header.record_count != header.last_offset_delta + 1:
        raise MalformedBatch(f"{header.record_count} records with last offset delta {header.last_offset_delta}")
    body_bytes = len(batch) - HEADER_BYTES
    if header.compression == Compression.NONE and header.record_count * RECORD_BYTES_MIN > body_bytes:
        raise MalformedBatch(f"{header.record_count} records in {body_bytes} bytes")
    return header


def is_intact(data: bytes | memoryview, position: int) -> bool:
    """Whether a complete batch with the right CRC starts at `position`; its offsets are not looked at."""
    if len(data) - position < HEADER_BYTES:
        return False
    header = parse_header(data, position)
    end = position + header.size
    if header.magic != MAGIC or header.size < HEADER_BYTES or end > len(data):
        return False
    return bool(crc32c(memoryview(data)[position + CRC_START : end]) == header.crc)


def relocated(
    batch: bytes | memoryview, base_offset: int, leader_epoch: int
) -> tuple[BatchHeader, tuple[bytes, memoryview]]:
    """The batch at another offset and leader epoch: its header, and two parts of which the second is not copied.

    The CRC does not cover what changes.
    """
    header = parse_header(batch)._replace(base_offset=base_offset, leader_epoch=leader_epoch)
    leading = LEADING.pack(base_offset, header.batch_length, leader_epoch)
    return header, (leading, memoryview(batch)[LEADING.size :])


def relocate(batch: bytes, base_offset: int, leader_epoch: int) -> bytes:
    """The batch at another offset and leader epoch, in one piece."""
    return b"".join(relocated(batch, base_offset, leader_epoch)[1])


def with_append_time(batch: bytes | memoryview, timestamp: int) -> bytes:
    """The batch with LogAppendTime: one timestamp for all records, a flag, and a new CRC."""
    header = parse_header(batch)
    changed = header._replace(attributes=header.attributes | LOG_APPEND_TIME_BIT, max_timestamp=timestamp)
    return seal(bytearray().join((HEADER.pack(*changed), batch[HEADER_BYTES:])))


def with_create_time(batch: bytes | memoryview) -> bytes:
    """The batch with the records' own timestamps: without the flag of LogAppendTime, and with a new CRC."""
    header = parse_header(batch)
    changed = header._replace(attributes=header.attributes & ~LOG_APPEND_TIME_BIT)
    return seal(bytearray().join((HEADER.pack(*changed), batch[HEADER_BYTES:])))


def seal(batch: bytearray) -> bytes:
    """Write the CRC that belongs to the content."""
    struct.pack_into(">I", batch, CRC_POSITION, crc32c(memoryview(batch)[CRC_START:]))
    return bytes(batch)


def control_batch(
    control_type: ControlType, producer_id: int, producer_epoch: int, timestamp: int, coordinator_epoch: int = 0
) -> bytes:
    """A transaction marker: a transactional control batch with one record, at offset 0."""
    key = struct.pack(">hh", 0, control_type)
    value = struct.pack(">hi", 0, coordinator_epoch)
    return encode_batch(
        [Record(0, timestamp, key, value)],
        attributes=TRANSACTIONAL_BIT | CONTROL_BIT,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
    )


def control_type(batch: bytes | memoryview) -> ControlType:
    """What the marker in a control batch says."""
    record = next(iter_records(batch))
    if record.key is None or len(record.key) < 4:
        raise CorruptBatch(f"a control record with key {record.key!r}, expected version and type")
    return ControlType(struct.unpack_from(">hh", record.key)[1])


def encode_batch(
    records: Sequence[Record],
    *,
    attributes: int = 0,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
) -> bytes:
    """A batch of at least one record; the offsets must ascend from the first one's. `attributes` name the codec."""
    first, last = records[0], records[-1]
    body = compress(attributes & COMPRESSION_MASK, b"".join(_encode_record(record, first) for record in records))
    header = BatchHeader(
        base_offset=first.offset,
        batch_length=HEADER_BYTES - LOG_OVERHEAD_BYTES + len(body),
        leader_epoch=-1,
        magic=MAGIC,
        crc=0,
        attributes=attributes,
        last_offset_delta=last.offset - first.offset,
        base_timestamp=first.timestamp,
        max_timestamp=max(record.timestamp for record in records),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=len(records),
    )
    return seal(bytearray(HEADER.pack(*header) + body))


def _encode_record(record: Record, first: Record) -> bytes:
    body = b"".join(
        (
            b"\0",
            varint(record.timestamp - first.timestamp),
            varint(record.offset - first.offset),
            _encode_bytes(record.key),
            _encode_bytes(record.value),
            varint(len(record.headers)),
            *(_encode_bytes(key.encode()) + _encode_bytes(value) for key, value in record.headers),
        )
    )
    return varint(len(body)) + body


def _encode_bytes(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def iter_headers(data: bytes | memoryview) -> Iterator[tuple[int, BatchHeader]]:
    """Position and header of each complete batch in `data`, which starts with one."""
    position = 0
    while len(data) - position >= HEADER_BYTES:
        header = parse_header(data, position)
        if position + header.size > len(data):
            return
        yield position, header
        position += header.size


def open_records(batch: bytes | memoryview, header: BatchHeader) -> bytes | memoryview:
    """The records of a batch, decompressed. Raises CorruptBatch."""
    try:
        return decompress(header.compression, memoryview(batch)[HEADER_BYTES : header.size])
    except CannotDecompress as error:
        raise CorruptBatch(f"records at offset {header.base_offset:,} cannot be decompressed: {error}") from error


def iter_records(batch: bytes | memoryview) -> Iterator[Record]:
    """The records of one batch, CRC unchecked. Raises CorruptBatch for bad content or an unknown codec."""
    header = parse_header(batch)
    body = open_records(batch, header)
    append_time = header.max_timestamp if header.has_append_time else None
    position = 0
    try:
        for _ in range(header.record_count):
            record, position = _decode_record(body, position, header)
            yield record if append_time is None else record._replace(timestamp=append_time)
    except (IndexError, ValueError) as error:
        raise CorruptBatch(f"a record at byte {position} cannot be read: {error}") from error


def records_without_key(batch: bytes | memoryview) -> list[int]:
    """Indexes of the records whose key is null, for an uncompressed batch. Raises CorruptBatch.

    Reads no more than it must: a broker asks this of every batch for a compacted topic.
    """
    found = []
    position = HEADER_BYTES
    try:
        for index in range(parse_header(batch).record_count):
            size, position = read_varint(batch, position)
            if size < 0:
                raise ValueError(f"a record of {size} bytes")
            end = position + size
            position += 1
            while batch[position] >= 0x80:  # timestamp delta
                position += 1
            position += 1
            while batch[position] >= 0x80:  # offset delta
                position += 1
            if batch[position + 1] == 1:  # length -1
                found.append(index)
            position = end
    except (IndexError, ValueError) as error:
        raise CorruptBatch(f"a record at byte {position} cannot be read: {error}") from error
    if position != len(batch):
        raise CorruptBatch(f"the records end at byte {position}, expected {len(batch)}")
    return found


def _decode_record(body: bytes | memoryview, position: int, header: BatchHeader) -> tuple[Record, int]:
    size, position = read_varint(body, position)
    end = position + size
    timestamp_delta, position = read_varint(body, position + 1)
    offset_delta, position = read_varint(body, position)
    key, position = _decode_bytes(body, position)
    value, position = _decode_bytes(body, position)
    header_count, position = read_varint(body, position)
    headers = []
    for _ in range(header_count):
        name, position = _decode_bytes(body, position)
        content, position = _decode_bytes(body, position)
        headers.append(((name or b"").decode(), content))
    if position != end:
        raise ValueError(f"the record ends at byte {position}, expected {end}")
    offset = header.base_offset + offset_delta
    return Record(offset, header.base_timestamp + timestamp_delta, key, value, tuple(headers)), end


def _decode_bytes(body: bytes | memoryview, position: int) -> tuple[bytes | None, int]:
    size, position = read_varint(body, position)
    if size < 0:
        return None, position
    end = position + size
    if end > len(body):
        raise ValueError(f"a field of {size} bytes does not fit a body of {len(body)} bytes")
    return bytes(body[position:end]), end
