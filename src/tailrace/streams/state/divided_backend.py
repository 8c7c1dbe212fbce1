"""State in a folder, of which some stores are in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tailrace.streams.state.backend import Backend, Entries, Offsets, Size
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.state.rocks_backend import RocksBackend


@dataclass(frozen=True)
class InMemory:
    """Stores that are in memory although there is a folder, and the topics that they are rebuilt from."""

    stores: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()


class DividedBackend:
    """Two places for state.

    What a folder has of stores that are in memory now is deleted: it would be out of date when they come back to it.
    """

    def __init__(self, disk: RocksBackend, in_memory: InMemory) -> None:
        disk.forget(in_memory.stores, in_memory.topics)
        self._disk, self._memory = disk, MemoryBackend()
        self._names = frozenset(store.encode() for store in in_memory.stores)
        self._topics = in_memory.topics

    def get(self, key: bytes) -> bytes | None:
        """See Backend."""
        return self._place(key).get(key)

    def range(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See Backend; of one store."""
        return self._place(start).range(start, end)

    def keys(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """See Backend; of one store."""
        return self._place(start).keys(start, end)

    def write(self, entries: Entries, offsets: Offsets) -> None:
        """See Backend."""
        disk: list[tuple[bytes, bytes | None]] = []
        memory: list[tuple[bytes, bytes | None]] = []
        for entry in entries:
            (memory if self._is_in_memory(entry[0]) else disk).append(entry)
        on_disk = {source: offset for source, offset in offsets.items() if source[0] not in self._topics}
        if disk or on_disk:
            self._disk.write(disk, on_disk)
        self._memory.write(memory, {source: offset for source, offset in offsets.items() if source not in on_disk})

    def offsets(self) -> dict[tuple[str, int], int]:
        """See Backend."""
        return self._disk.offsets() | self._memory.offsets()

    def written_at_ms(self) -> int:
        """See Backend; what is in memory was never written before."""
        return self._disk.written_at_ms()

    def size(self) -> Size | None:
        """See Backend."""
        disk = self._disk.size()
        return disk and Size(disk.entries + self._memory.size().entries, disk.live_bytes)

    def close(self) -> None:
        """See Backend."""
        self._disk.close()

    def _place(self, key: bytes) -> Backend:
        return self._memory if self._is_in_memory(key) else self._disk

    def _is_in_memory(self, key: bytes) -> bool:
        return key.partition(b"\0")[0] in self._names


def open_backend(folder: Path | None, in_memory: InMemory) -> Backend:
    """State in a folder but for what is in memory, or all of it in memory."""
    if folder is None:
        return MemoryBackend()
    return DividedBackend(RocksBackend(folder), in_memory) if in_memory.stores else RocksBackend(folder)
