"""What a broker has on disk, as rows: one dictionary for each batch, record, frame, event, index entry or checkpoint.

Every row has `file` and `kind`; a row of kind `unreadable` says where and why reading a file ended.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from tailrace.broker import checkpoint
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.disk import Disk, File
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.offline.journal_file import StoredFrame, stored_frames
from tailrace.broker.offline.segment_file import NotIntact, read_batches, read_index
from tailrace.wire.compression import Compression
from tailrace.wire.record_batch import BatchHeader, CorruptBatch, control_type, iter_records, parse_header

Row = dict[str, Any]


def dump(path: Path, *, with_records: bool) -> Iterator[Row]:
    """The rows of a file, or of all files of a directory: checkpoint, journal, then the logs. Raises OSError."""
    for file in _files(path) if path.is_dir() else [path]:
        for row in _dump_file(file, with_records=with_records):
            yield {"file": str(file.relative_to(path)) if path.is_dir() else str(file), **row}


def _files(directory: Path) -> Iterable[Path]:
    known = [path for path in directory.rglob("*") if path.is_file() and _rows_of(path) is not None]
    return sorted(known, key=lambda path: (_ORDER.index(_kind(path)), path))


_ORDER = ("checkpoint", "journal", "log", "index")


def _kind(path: Path) -> str:
    if path.name == checkpoint.NAME:
        return "checkpoint"
    number, _, suffix = path.name.partition(".")
    kind = suffix.rpartition(".")[2] or "journal"  # between number and suffix may be a generation
    return kind if number.isdigit() else ""


def _rows_of(path: Path) -> Any:
    return {"checkpoint": _checkpoint, "journal": _journal, "log": _segment, "index": _index}.get(_kind(path))


def _dump_file(path: Path, *, with_records: bool) -> Iterator[Row]:
    rows = _rows_of(path)
    if rows is None:
        yield {"kind": "unreadable", "why": "its name is none of checkpoint, *.log, *.index or a journal's number"}
        return
    yield from rows(path, with_records)


def _checkpoint(path: Path, _: bool) -> Iterator[Row]:
    try:
        stored = checkpoint.load(Disk(path.parent))
    except (CorruptCheckpoint, ValueError) as error:
        yield {"kind": "unreadable", "why": str(error)}
    else:
        yield {"kind": "checkpoint", **_plain(stored)}


def _journal(path: Path, with_records: bool) -> Iterator[Row]:
    try:
        for stored in stored_frames(path, int(path.name)):
            yield from _frame(stored, with_records=with_records)
    except (JournalDamaged, ValueError) as error:
        yield {"kind": "unreadable", "why": str(error)}


def _frame(stored: StoredFrame, *, with_records: bool) -> Iterator[Row]:
    number, batches, events = stored.frame
    size = stored.end - stored.position
    yield {"kind": "frame", "position": stored.position, "size": size, "frame": number, "durable": stored.durable}
    for batch in batches:
        header = parse_header(batch.data)
        yield {
            "kind": "batch",
            "frame": number,
            **_place(batch.topic_id, batch.partition),
            **_batch(header, batch.data),
        }
        if with_records:
            yield from _records(batch.data)
    for event in events:
        yield {"kind": "event", "frame": number, "event": type(event).__name__, **_plain(event)}


def _segment(path: Path, with_records: bool) -> Iterator[Row]:
    file = File(path, read_only=True)
    for batch in read_batches(file, file.size()):
        if isinstance(batch, NotIntact):
            yield {"kind": "unreadable", "position": batch.position, "why": batch.why}
            return
        yield {"kind": "batch", "position": batch.position, **_batch(batch.header, batch.data)}
        if with_records:
            yield from _records(batch.data)


def _index(path: Path, _: bool) -> Iterator[Row]:
    for entry in read_index(path):
        yield {"kind": "entry", **entry._asdict()}


def _place(topic_id: bytes, partition: int) -> Row:
    return {"topic_id": _uuid(topic_id), "partition": partition}


def _batch(header: BatchHeader, data: bytes | memoryview) -> Row:
    return {
        "offset": header.base_offset,
        "last_offset": header.last_offset,
        "records": header.record_count,
        "size": header.size,
        "leader_epoch": header.leader_epoch,
        "base_timestamp": header.base_timestamp,
        "max_timestamp": header.max_timestamp,
        "compression": _codec(header.compression),
        "transactional": header.is_transactional,
        "control": _marker(header, data),
        "producer_id": header.producer_id,
        "producer_epoch": header.producer_epoch,
        "base_sequence": header.base_sequence,
        "crc": header.crc,
    }


def _codec(number: int) -> str:
    try:
        return Compression(number).name.lower()
    except ValueError:
        return str(number)


def _marker(header: BatchHeader, data: bytes | memoryview) -> str | None:
    try:
        return control_type(data).name.lower() if header.is_control else None
    except (CorruptBatch, ValueError, StopIteration):
        return "unknown"


def _records(data: bytes | memoryview) -> Iterator[Row]:
    try:
        for record in iter_records(data):
            yield {"kind": "record", **record._asdict()}
    except CorruptBatch as error:
        yield {"kind": "unreadable", "why": f"the records of this batch cannot be opened: {error}"}


def _plain(value: Any) -> Any:
    """A structure as dictionaries and lists by the names of its fields; topic ids as UUIDs."""
    match value:
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes() if len(value) == 16:
            return _uuid(value)
        case _:
            return value


def _uuid(topic_id: bytes) -> str:
    return str(UUID(bytes=topic_id))
