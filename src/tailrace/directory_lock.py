"""Owning a directory: one process at a time works with what is in it."""

import fcntl
import os
from pathlib import Path


class DirectoryInUse(Exception):
    """Another process owns the directory; the message says which, and what to do."""


class DirectoryLock:
    """The right to a directory, from `acquire` to `release` or the end of the process; `owner` says of what kind."""

    def __init__(self, directory: Path, owner: str) -> None:
        self._directory = directory
        self._owner = owner
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Create the directory if need be and own it. Raises DirectoryInUse."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # A child process must not keep the right, so it does not get the descriptor.
        self._descriptor = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise DirectoryInUse(
                f"{self._directory} is in use by another {self._owner}; "
                "stop that one or choose another directory with --data"
            ) from None

    def release(self) -> None:
        """Let another own the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
