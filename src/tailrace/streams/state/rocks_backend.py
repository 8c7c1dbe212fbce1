"""State in RocksDB."""

import struct
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace.clock import now_ms
from tailrace.streams.state.backend import Entries, Offsets, Size, bounds_of

if TYPE_CHECKING:
    from rocksdict import Rdict, ReadOptions

_OFFSET = b"\0offset\0"
_WRITTEN_AT = b"\0written-at"
_INT64 = struct.Struct(">q")
# How long a folder may be in use by somebody who still reads in what was closed before it is opened again.
OPEN_PATIENCE_S = 10.0
OPEN_PAUSE_S = 0.01


class RocksBackend:
    """State in a RocksDB folder, which one process at a time can open.

    Writes go through the log without fsync: a killed process loses nothing, a crashed machine loses the last writes,
    entries and offsets alike, and they are read again from the topics.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = _open(folder)

    def get(self, key: bytes) -> bytes | None:
        """See Backend."""
        value: bytes | None = self._db.get(key)
        return value

    def range(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See Backend."""
        entries: Any = self._db.items(from_key=start, read_opt=_until(end))
        return iter(entries)

    def keys(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """See Backend."""
        keys: Any = self._db.keys(from_key=start, read_opt=_until(end))
        return iter(keys)

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """See Backend."""
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for key, value in entries:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        for source, offset in offsets.items():
            batch.put(_offset_key(*source), _INT64.pack(offset))
        batch.put(_WRITTEN_AT, _INT64.pack(now_ms()))
        self._db.write(batch)

    def forget(self, stores: Collection[str], topics: Collection[str]) -> None:
        """Delete what stores have, and how far topics are folded; in one write, if there is anything."""
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for start, end in map(bounds_of, stores):
            if next(self.keys(start, end), None) is not None:
                batch.delete_range(start, end)
        for source in self.offsets():
            if source[0] in topics:
                batch.delete(_offset_key(*source))
        if not batch.is_empty():
            self._db.write(batch)

    def offsets(self) -> dict[tuple[str, int], int]:
        """See Backend."""
        found: dict[tuple[str, int], int] = {}
        entries: Any = self._db.items(from_key=_OFFSET)
        for key, value in entries:
            if not key.startswith(_OFFSET):
                break
            topic, partition = key[len(_OFFSET) :].decode().split("\0")
            found[topic, int(partition)] = _INT64.unpack(value)[0]
        return found

    def written_at_ms(self) -> int:
        """See Backend."""
        data = self._db.get(_WRITTEN_AT)
        return 0 if data is None else int(_INT64.unpack(data)[0])

    def size(self) -> Size | None:
        """See Backend."""
        try:
            entries = self._db.property_int_value("rocksdb.estimate-num-keys")
            live_bytes = self._db.property_int_value("rocksdb.estimate-live-data-size")
        except Exception:  # it says in a text that it is closed
            return None
        return Size(entries or 0, live_bytes or 0)

    def close(self) -> None:
        """See Backend."""
        self._db.close()


def _offset_key(topic: str, partition: int) -> bytes:
    return _OFFSET + f"{topic}\0{partition}".encode()


def _until(end: bytes) -> "ReadOptions":
    from rocksdict import ReadOptions

    options = ReadOptions()
    options.set_iterate_upper_bound(end)
    return options


def _open(folder: Path) -> "Rdict":
    from rocksdict import BlockBasedOptions, DBCompactionStyle, DBCompressionType, Options, Rdict

    table = BlockBasedOptions()
    # Most look-ups of settled requests find nothing: bloom filters answer those from memory, of what is in files and
    # of what is not yet.
    table.set_bloom_filter(10, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.1)
    # As in Kafka Streams: a byte of state is written and read often for as long as it is there. Levels and compression
    # took twice the processor time with two million keys.
    options.set_compaction_style(DBCompactionStyle.universal())
    options.set_compression_type(DBCompressionType.none())
    options.set_write_buffer_size(16 * 1024 * 1024)
    options.set_max_write_buffer_number(2)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    deadline = time.monotonic() + OPEN_PATIENCE_S
    while True:
        try:
            # For a folder that is there, the binding would take the column's settings from the file beside the data,
            # which cannot tell of filters.
            return Rdict(str(folder), options=options, column_families={"default": options})
        except Exception as error:
            # A query in another thread keeps the files for as long as it iterates, though they were closed.
            if "lock hold by current process" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(OPEN_PAUSE_S)
