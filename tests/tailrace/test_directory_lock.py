import os
import subprocess
from pathlib import Path

import pytest

from tailrace.directory_lock import DirectoryInUse, DirectoryLock


def test_one_at_a_time_owns_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    owner, other = DirectoryLock(directory, "broker"), DirectoryLock(directory, "broker")
    owner.acquire()
    with pytest.raises(DirectoryInUse, match=r"new is in use by another broker; .* with --data"):
        other.acquire()
    owner.release()
    other.acquire()
    other.release()


def test_a_child_does_not_keep_the_right(tmp_path: Path) -> None:
    owner = DirectoryLock(tmp_path, "broker")
    owner.acquire()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        owner.release()
        DirectoryLock(tmp_path, "broker").acquire()
        child.kill()


def test_what_cannot_be_made_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1))
    with pytest.raises(FileExistsError):
        DirectoryLock(tmp_path / "file", "broker").acquire()
