"""A disk in memory that loses, at a power failure, whatever nobody made durable: all of it, or any part.

When only the process is killed it loses nothing, but nothing becomes durable by that either.

What was synced stays. Of each write since then any piece may be there or not, and of each change to a directory too, so
a file may be empty, torn, longer than it was, or back under a name that was removed. Real disks do less harm than this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from random import Random
from typing import NamedTuple

from tailrace.broker.disk import Buffers, Disk, File

PIECE_BYTES = (16, 64, 512, 4096)


class Write(NamedTuple):
    """A write that is not durable."""

    position: int
    data: bytes


class Resize(NamedTuple):
    """A change of a file's size that is not durable."""

    size: int


class Inode:
    """Content of a file: as the operating system has it, and what the disk has of it for sure."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.durable = bytes(content)
        self.pending: list[Write | Resize] = []

    def change(self, change: Write | Resize) -> None:
        """Do something that is not durable."""
        apply(self.content, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Make everything durable."""
        self.durable = bytes(self.content)
        self.pending.clear()

    def after_kill(self) -> Inode:
        """The same, with a life of its own."""
        copy = Inode(bytes(self.content))
        copy.durable, copy.pending = self.durable, list(self.pending)
        return copy

    def after_power_failure(self, survival: Survival) -> Inode:
        """What is there afterwards."""
        content = bytearray(self.durable)
        for change in self.pending:
            if isinstance(change, Resize):
                if survival.decides():
                    apply(content, change)
                continue
            for piece in survival.pieces(change):
                apply(content, piece)
        return Inode(bytes(content))


def apply(content: bytearray, change: Write | Resize) -> None:
    """Change a file's content; what lies beyond the end reads as zeros."""
    end = change.size if isinstance(change, Resize) else change.position + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if isinstance(change, Resize):
        del content[end:]
    else:
        content[change.position : end] = change.data


class Survival:
    """How much survives one power failure: nothing that is not durable, everything, or any part."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._chance = random.choice((0.0, 1.0, 0.5, random.random()))
        self._piece_bytes = random.choice(PIECE_BYTES)

    def decides(self) -> bool:
        """Whether one thing survives."""
        return self._random.random() < self._chance

    def pieces(self, write: Write) -> list[Write]:
        """The pieces of a write that survive."""
        if self._chance in (0.0, 1.0):
            return [write] if self._chance else []
        starts = range(0, len(write.data), self._piece_bytes)
        return [
            Write(write.position + start, write.data[start : start + self._piece_bytes])
            for start in starts
            if self.decides()
        ]


class SimulatedFile(File):
    """An open file of a simulated disk."""

    def __init__(self, disk: SimulatedDisk, name: str, inode: Inode) -> None:
        self.path = Path(name)
        self._disk = disk
        self._inode = inode

    def read(self, size: int, position: int) -> bytes:
        """See `File`."""
        return bytes(self._inode.content[position : position + size])

    def write(self, parts: Buffers, position: int) -> None:
        """See `File`."""
        self._disk.call("write", self.path.name)
        self._inode.change(Write(position, b"".join(parts)))

    def sync(self) -> None:
        """See `File`."""
        self._disk.call("sync", self.path.name)
        self._inode.sync()

    def reserve(self, size: int) -> None:
        """See `File`."""
        self._disk.call("reserve", self.path.name)
        self._inode.change(Resize(max(size, self.size())))

    def truncate(self, size: int) -> None:
        """See `File`."""
        if size != self.size():
            self._disk.call("truncate", self.path.name)
            self._inode.change(Resize(size))

    def size(self) -> int:
        """See `File`."""
        return len(self._inode.content)


NameChange = dict[str, Inode | None]
"""Names with the file that each stands for from now on; they change together or not at all."""


class SimulatedDisk(Disk):
    """See the module; `before_call` hears of every change and may look at the disk, wait, or raise."""

    def __init__(self, entries: dict[str, Inode] | None = None) -> None:
        super().__init__(Path("simulated"))
        self.before_call: Callable[[str, str], None] = lambda kind, name: None
        self.calls = 0
        self._entries = dict(entries or {})
        self._durable = dict(self._entries)
        self._pending: list[NameChange] = []

    def call(self, kind: str, name: str) -> None:
        """Count a change that is about to be made."""
        self.calls += 1
        self.before_call(kind, name)

    def after_power_failure(self, random: Random) -> SimulatedDisk:
        """A disk as it may be found afterwards."""
        survival = Survival(random)
        entries = dict(self._durable)
        for change in self._pending:
            if survival.decides():
                _rename(entries, change)
        return SimulatedDisk({name: inode.after_power_failure(survival) for name, inode in entries.items()})

    def after_kill(self) -> SimulatedDisk:
        """The disk that another process finds: everything is there, and as little of it durable as before."""
        copies: dict[int, Inode] = {}

        def copy(inode: Inode) -> Inode:
            return copies.setdefault(id(inode), inode.after_kill())

        disk = SimulatedDisk({name: copy(inode) for name, inode in self._durable.items()})
        disk._entries = {name: copy(inode) for name, inode in self._entries.items()}
        disk._pending = [{name: inode and copy(inode) for name, inode in change.items()} for change in self._pending]
        return disk

    def _change(self, change: NameChange) -> None:
        _rename(self._entries, change)
        self._pending.append(change)

    def lock(self) -> None:
        """Nobody else can use it."""

    def unlock(self) -> None:
        """Nobody else can use it."""

    def open(self, name: str) -> SimulatedFile:
        """See `Disk`."""
        if name not in self._entries:
            self.call("create", name)
            self._change({name: Inode()})
        return SimulatedFile(self, name, self._entries[name])

    def read(self, name: str) -> bytes | None:
        """See `Disk`."""
        inode = self._entries.get(name)
        return None if inode is None else bytes(inode.content)

    def rename(self, name: str, new_name: str) -> None:
        """See `Disk`."""
        self.call("rename", name)
        self._change({new_name: self._entries[name], name: None})

    def sync_directory(self, name: str) -> None:
        """See `Disk`."""
        self.call("sync directory", name)
        above = {str(parent) for parent in PurePath(name).parents}
        rest = []
        for change in self._pending:
            if all(str(PurePath(changed).parent) in above for changed in change):
                _rename(self._durable, change)
            else:
                rest.append(change)
        self._pending = rest

    def list(self, directory: str) -> Sequence[str]:  # type: ignore[override]
        """See `Disk`."""
        start = directory + "/"
        return sorted({name[len(start) :].partition("/")[0] for name in self._entries if name.startswith(start)})

    def remove(self, name: str) -> None:
        """See `Disk`."""
        for each in [each for each in self._entries if each == name or each.startswith(name + "/")]:
            self.call("remove", each)
            self._change({each: None})

    def free_bytes(self) -> tuple[int, int]:
        """See `Disk`."""
        return 1 << 40, 1 << 40


def _rename(entries: dict[str, Inode], change: NameChange) -> None:
    for name, inode in change.items():
        if inode is None:
            entries.pop(name, None)
        else:
            entries[name] = inode
