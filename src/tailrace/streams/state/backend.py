"""Where the bytes of a task's state are: RocksDB, or memory for tests and for state that is quick to rebuild."""

import struct
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tailrace.clock import now_ms

if TYPE_CHECKING:
    from rocksdict import Rdict

# How far each topic partition is folded into the state: the next offset to read.
Offsets = Mapping[tuple[str, int], int]
Entries = Iterable[tuple[bytes, bytes | None]]

_OFFSET = b"\0offset\0"
_WRITTEN_AT = b"\0written-at"
_INT64 = struct.Struct(">q")
# How long a folder may be in use by somebody who still reads in what was closed before it is opened again.
OPEN_PATIENCE_S = 10.0
OPEN_PAUSE_S = 0.01


def open_backend(folder: Path | None) -> "Backend":
    """State in a folder, or in memory."""
    return MemoryBackend() if folder is None else RocksBackend(folder)


class Size(NamedTuple):
    """How much a backend holds, estimated; of bytes those on disk, None where there is no disk."""

    entries: int
    live_bytes: int | None


class Backend(Protocol):
    """A key-value store that takes entries and offsets in one atomic write."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""

    def range(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries from `start`, inclusive, to `end`, exclusive, in order, as they were at the call."""

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """Put the entries (None deletes) and the offsets: all or, after a crash, nothing."""

    def offsets(self) -> dict[tuple[str, int], int]:
        """The offsets last written."""

    def written_at_ms(self) -> int:
        """When something was written last, in milliseconds since 1970; 0 if nothing was."""

    def size(self) -> Size | None:
        """How much it holds, None once it is closed; may be asked from any thread."""

    def close(self) -> None:
        """Let go of the files."""


class MemoryBackend:
    """State that ends with the process."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._keys: list[bytes] | None = None  # sorted; None when they have to be sorted anew
        # Queries read in threads of their own.
        self._lock = Lock()
        self._offsets: dict[tuple[str, int], int] = {}
        self._written_at_ms = 0

    def get(self, key: bytes) -> bytes | None:
        """See Backend."""
        return self._entries.get(key)

    def range(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See Backend."""
        with self._lock:
            if self._keys is None:
                self._keys = sorted(self._entries)
            keys = self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, end)]
            return iter([(key, self._entries[key]) for key in keys])

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """See Backend."""
        with self._lock:
            for key, value in entries:
                if value is None:
                    if self._entries.pop(key, None) is not None:
                        self._keys = None
                else:
                    if key not in self._entries:
                        self._keys = None
                    self._entries[key] = value
        self._offsets.update(offsets)
        self._written_at_ms = now_ms()

    def offsets(self) -> dict[tuple[str, int], int]:
        """See Backend."""
        return dict(self._offsets)

    def written_at_ms(self) -> int:
        """See Backend."""
        return self._written_at_ms

    def size(self) -> Size:
        """See Backend."""
        return Size(len(self._entries), None)

    def close(self) -> None:
        """See Backend."""


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
        from rocksdict import ReadOptions

        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        entries: Any = self._db.items(from_key=start, read_opt=options)
        return iter(entries)

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """See Backend."""
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for key, value in entries:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        for (topic, partition), offset in offsets.items():
            batch.put(_OFFSET + f"{topic}\0{partition}".encode(), _INT64.pack(offset))
        batch.put(_WRITTEN_AT, _INT64.pack(now_ms()))
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
