"""Where the bytes of a task's state are: entries by key, and how far topics are folded into them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

# How far each topic partition is folded into the state: the next offset to read.
Offsets = Mapping[tuple[str, int], int]
Entries = Iterable[tuple[bytes, bytes | None]]


def bounds_of(store: str) -> tuple[bytes, bytes]:
    """Where the entries of a store are, whose keys all begin with the first: from that, inclusive, to the second."""
    name = store.encode()
    return name + b"\0", name + b"\1"


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

    def keys(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """Yield the keys of `range`, which is cheap where only the first are wanted."""

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
