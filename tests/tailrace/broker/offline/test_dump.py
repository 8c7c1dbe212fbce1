"""What `dump` gives for each kind of file."""

from pathlib import Path
from typing import Any

from tailrace.broker.offline.dump import dump
from tailrace.wire.compression import Compression, compress
from tailrace.wire.record_batch import HEADER, HEADER_BYTES, Record, encode_batch, parse_header, seal


def rows(path: Path, *, with_records: bool = False) -> list[dict[str, Any]]:
    return list(dump(path, with_records=with_records))


def kinds(found: list[dict[str, Any]]) -> set[str]:
    return {row["kind"] for row in found}


def compressed(records: list[Record], codec: Compression) -> bytes:
    plain = encode_batch(records)
    body = compress(codec, plain[HEADER_BYTES:])
    header = parse_header(plain)._replace(attributes=codec, batch_length=HEADER_BYTES - 12 + len(body))
    return seal(bytearray(HEADER.pack(*header) + body))


def test_a_segment_is_its_batches_and_records(tmp_path: Path) -> None:
    records = [Record(7, 1000, b"k", b"v", (("h", b"1"),)), Record(8, 1001, None, None)]
    log = tmp_path / "00000000000000000007.log"
    log.write_bytes(b"".join(compressed(records, codec) for codec in Compression))
    found = rows(log, with_records=True)
    batches = [row for row in found if row["kind"] == "batch"]
    assert [batch["compression"] for batch in batches] == ["none", "gzip", "snappy", "lz4", "zstd"]
    assert [(batch["offset"], batch["last_offset"], batch["records"]) for batch in batches] == [(7, 8, 2)] * 5
    assert [batch["position"] for batch in batches][:2] == [0, batches[0]["size"]]
    assert found[1:3] == [
        {"file": str(log), "kind": "record", **records[0]._asdict()},
        {"file": str(log), "kind": "record", **records[1]._asdict()},
    ]


def test_a_torn_end_is_told_with_its_place(tmp_path: Path) -> None:
    batch = encode_batch([Record(0, 0, None, b"v")])
    log = tmp_path / "00000000000000000000.log"
    log.write_bytes(batch + batch[:-1])
    *_, last = rows(log)
    assert (last["kind"], last["position"]) == ("unreadable", len(batch))
    log.write_bytes(batch + b"\0" * 5)
    assert rows(log)[-1]["why"] == "5 bytes are too few for a batch"


def test_a_codec_that_does_not_exist_leaves_the_batch(tmp_path: Path) -> None:
    header = parse_header(encode_batch([Record(0, 0, None, b"v")]))
    log = tmp_path / "0.log"
    log.write_bytes(seal(bytearray(HEADER.pack(*header._replace(attributes=7)) + bytes(header.size - HEADER_BYTES))))
    batch, records = rows(log, with_records=True)
    assert batch["compression"] == "7"
    assert records["kind"] == "unreadable"


def test_a_directory_is_everything_in_it(crashed: Path) -> None:
    found = rows(crashed)
    assert kinds(found) == {"checkpoint", "frame", "batch", "event", "entry"}
    assert found[0]["kind"] == "checkpoint"
    assert {topic["name"] for topic in found[0]["topics"]} == {"orders-1", "sums-1"}
    frames = [row["frame"] for row in found if row["kind"] == "frame"]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    created = [row["name"] for row in found if row.get("event") == "TopicCreated"]
    assert created == ["orders-2", "sums-2", "gone-2", "orders-3", "sums-3", "gone-3"]
    markers = [row["control"] for row in found if row["file"].startswith("topics/sums-1") and row.get("control")]
    assert markers == ["commit", "abort"]


def test_the_index_is_where_the_batches_are(stopped: Path) -> None:
    index = next(path for path in sorted(stopped.rglob("*.index")) if "orders-1" in str(path))
    batches = {row["position"]: row["offset"] for row in rows(index.with_suffix(".log"))}
    entries = rows(index)
    assert len(entries) > 2
    assert all(batches[entry["position"]] == entry["offset"] for entry in entries)


def test_what_it_is_not_made_for_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert rows(tmp_path) == []
    assert kinds(rows(tmp_path / "notes.txt")) == {"unreadable"}
    (tmp_path / "checkpoint").write_bytes(b"tr01nonsense")
    [row] = rows(tmp_path / "checkpoint")
    assert "wrong magic or CRC" in row["why"]
