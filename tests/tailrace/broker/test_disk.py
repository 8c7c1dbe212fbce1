"""The door to the file system."""

import gc
import os
from pathlib import Path

import pytest

from tailrace.broker.disk import Buffers, Disk
from tailrace.broker.log.segment import Segment


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112


def test_closing_takes_no_file_from_whoever_is_writing_to_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    segment = Segment(disk, "partition", 0)
    being_written = segment.file
    segment.close()
    other = disk.open("other")
    being_written.write((b"data",), 0)
    assert (other.size(), disk.read(segment.log_name)) == (0, b"data")


def test_a_file_that_nobody_uses_is_closed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    segments = [Segment(disk, "partition", number) for number in range(20)]
    gc.collect()
    before = open_files()
    for segment in segments:
        segment.file.write((b"data",), 0)
    assert open_files() in (before + 20, 0)
    segments[0].close()
    del segment, segments[10:]
    assert open_files() in (before + 9, 0)


def test_many_parts_are_written_one_behind_the_other(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    parts = [b"%d," % number * (number % 7) for number in range(5000)]
    disk.open("file").write(parts, 3)
    assert disk.read("file") == bytes(3) + b"".join(parts)


def test_what_a_system_call_leaves_is_written_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwritev

    def write_some(descriptor: int, parts: Buffers, position: int) -> int:
        data = b"".join(parts)
        return whole(descriptor, [data[: max(len(data) // 3, 1)]], position)

    monkeypatch.setattr(os, "pwritev", write_some)
    parts = [b"", b"abc", memoryview(b"defghij"), b"", b"k" * 100]
    Disk(tmp_path).open("file").write(parts, 0)
    assert Disk(tmp_path).read("file") == b"".join(parts)
