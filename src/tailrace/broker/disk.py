"""The only door to the file system, small enough to be replaced by a simulated disk.

Nothing is durable before `File.sync`, and a new, renamed or removed name not before `Disk.sync_directory`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tailrace.directory_lock import DirectoryLock

Buffers = Sequence[bytes | memoryview]
"""Bytes in parts that lie behind each other."""

PARTS_MAX = 1024  # of one system call (IOV_MAX)


def _without(parts: Buffers, size: int) -> Buffers:
    """What is left of the parts behind the first `size` bytes."""
    for number, part in enumerate(parts):
        if size < len(part):
            return [memoryview(part)[size:], *parts[number + 1 :]]
        size -= len(part)
    return []


class File:
    """An open file, read and written at given positions; it closes when the last reference to it is gone.

    So nobody can close it under a thread that is using it, whose bytes would then go to whichever file is opened next.
    """

    _descriptor = -1

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)

    def read(self, size: int, position: int) -> bytes:
        """Up to `size` bytes at `position`; fewer at the end of the file."""
        return os.pread(self._descriptor, size, position)

    def write(self, parts: Buffers, position: int) -> None:
        """Write all the parts, one behind the other, from `position` on."""
        for start in range(0, len(parts), PARTS_MAX):
            left = parts[start : start + PARTS_MAX]
            while left:
                written = os.pwritev(self._descriptor, left, position)
                position += written
                left = _without(left, written)

    def sync(self) -> None:
        """Return when content and size are on stable storage."""
        os.fdatasync(self._descriptor)

    def reserve(self, size: int) -> None:
        """Allocate `size` bytes that read as zeros, so that writing them later does not change the file's size."""
        os.posix_fallocate(self._descriptor, 0, size)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(self._descriptor, size)

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Disk:
    """The directory that holds a broker's data, owned by one process at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = DirectoryLock(root, "broker")

    def lock(self) -> None:
        """Create the directory if need be and own it until the process ends. Raises DirectoryInUse."""
        self._lock.acquire()

    def unlock(self) -> None:
        """Let another broker own the directory."""
        self._lock.release()

    def open(self, name: str) -> File:
        """Open a file for reading and writing, created with its directories where they do not exist."""
        path = self.root / name
        try:
            return File(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return File(path)

    def read(self, name: str) -> bytes | None:
        """Content of a whole file, None when there is none."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, parts: Buffers) -> None:
        """Make `parts` the content of a file, durably and at once: a crash leaves the old or the new content."""
        temporary = self.open(name + ".tmp")
        temporary.truncate(0)
        temporary.write(parts, 0)
        temporary.sync()
        self.rename(name + ".tmp", name)
        self.sync_directory(name)

    def rename(self, name: str, new_name: str) -> None:
        """Give a file another name in its directory, in place of a file that has that name."""
        (self.root / name).replace(self.root / new_name)

    def sync_directory(self, name: str) -> None:
        """Make the directory entry of a file durable, and those of the directories above it."""
        directory = (self.root / name).parent
        while directory != self.root.parent:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            directory = directory.parent

    def list(self, directory: str) -> list[str]:
        """Names in a directory, in order; empty when there is no such directory."""
        path = self.root / directory
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def remove(self, name: str) -> None:
        """Remove a file, or a directory with everything in it; nothing happens when it does not exist."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> tuple[int, int]:
        """Total and usable bytes of the file system."""
        status = os.statvfs(self.root)
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
