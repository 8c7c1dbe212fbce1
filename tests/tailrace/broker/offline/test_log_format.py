"""docs/log-format.md, taken at its word: a reader that knows nothing but that page and none of the broker's code."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from crc32c import crc32c


def frames(data: bytes, number: int) -> Iterator[tuple[list[Any], list[Any], bytes]]:
    """Places, events and batches of each frame."""
    position = 0
    while True:
        length, crc, actual, _, index_length = struct.unpack_from(">IIQQI", data, position)
        end = position + 28 + length
        if actual != number or crc32c(data[position + 8 : end]) != crc:
            return
        places, events = msgspec.msgpack.decode(data[position + 28 : position + 28 + index_length])
        yield places, events, data[position + 28 + index_length : end]
        position, number = end, number + 1


def batches(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Position, base offset, last offset and max timestamp of each batch."""
    position = 0
    while position < len(data):
        base, length, _, magic, crc = struct.unpack_from(">qiibI", data, position)
        _, last_delta, _, max_timestamp = struct.unpack_from(">hiqq", data, position + 21)
        assert magic == 2
        assert crc32c(data[position + 21 : position + 12 + length]) == crc
        yield position, base, base + last_delta, max_timestamp
        position += 12 + length


def loaded(root: Path) -> list[Any]:
    stored = (root / "checkpoint").read_bytes()
    assert stored[:4] == b"tr01"
    assert struct.unpack(">I", stored[4:8])[0] == crc32c(stored[8:])
    state: list[Any] = msgspec.msgpack.decode(stored[8:])
    return state


def test_a_stopped_broker(stopped: Path) -> None:
    _, _, _, _, topics, *_ = loaded(stopped)
    found = 0
    for name, topic_id, _, partitions in topics:
        for number, (_, log_end, segments, *_) in enumerate(partitions):
            end = 0
            for base, size, _, max_timestamp, generation in segments:
                stem = f"{base:020}" + (f".{generation}" if generation else "")
                log = stopped / "topics" / name / str(UUID(bytes=topic_id)) / str(number) / f"{stem}.log"
                rows = list(batches(log.read_bytes()[:size])) if size else []
                assert [row[1] for row in rows] == sorted(row[1] for row in rows)
                assert max((row[3] for row in rows), default=-1) == max_timestamp
                end = rows[-1][2] + 1 if rows else base
                check_index(log.with_suffix(".index"), rows)
                found += len(rows)
            assert end == log_end
    assert found > 300


def check_index(path: Path, rows: list[tuple[int, int, int, int]]) -> None:
    expected, last, greatest = [], 0, -1
    for position, base, _, max_timestamp in rows:
        if position - last >= 4096:
            expected.append((base, position, greatest))
            last = position
        greatest = max(greatest, max_timestamp)
    stored = path.read_bytes() if path.exists() else b""
    assert list(struct.iter_unpack(">qqq", stored)) == expected


def test_a_crashed_broker(crashed: Path) -> None:
    """What the journal has behind the checkpoint is what the segments get."""
    next_frame = loaded(crashed)[1]
    [path] = (crashed / "journal").iterdir()
    assert int(path.name) == next_frame
    names: dict[bytes, str] = {}
    written: dict[tuple[bytes, int], bytes] = {}
    for places, events, data in frames(path.read_bytes(), next_frame):
        assert sum(size for _, _, size in places) == len(data)
        for topic_id, partition, size in places:
            written[topic_id, partition] = written.get((topic_id, partition), b"") + data[:size]
            data = data[size:]
        for name, *fields in events:
            if name == "TopicCreated":
                names[fields[1]] = fields[0]
    assert sorted(names.values()) == ["gone-2", "gone-3", "orders-2", "orders-3", "sums-2", "sums-3"]
    for (topic_id, partition), data in written.items():
        directory = crashed / "topics" / names[topic_id] / str(UUID(bytes=topic_id)) / str(partition)
        assert b"".join(log.read_bytes() for log in sorted(directory.glob("*.log"))) == data
