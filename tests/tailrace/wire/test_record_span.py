"""Taking records out of a batch leaves the others, their offsets and their timestamps."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.record_batch import (
    LOG_APPEND_TIME_BIT,
    CorruptBatch,
    Record,
    check_batch,
    encode_batch,
    iter_records,
    open_records,
    parse_header,
    relocate,
    with_append_time,
)
from tailrace.wire.record_span import keep_records, scan_records

some_bytes = st.none() | st.binary(max_size=200)
some_record = st.tuples(
    st.integers(0, 2**41), some_bytes, some_bytes, st.lists(st.tuples(st.text(max_size=9), some_bytes), max_size=2)
)


def batch_of(
    contents: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], codec: int
) -> bytes:
    records = [Record(n, time, key, value, tuple(headers)) for n, (time, key, value, headers) in enumerate(contents)]
    batch = encode_batch(records, attributes=codec, producer_id=7, producer_epoch=1, base_sequence=5)
    return relocate(batch, 1000, 3)


@given(st.lists(some_record, min_size=1, max_size=12), st.integers(0, 4))
def test_spans_say_what_the_records_are(contents: list[tuple], codec: int) -> None:  # type: ignore[type-arg]
    batch = batch_of(contents, codec)
    header = parse_header(batch)
    spans = scan_records(open_records(batch, header), header)
    assert [(s.offset, header.base_timestamp + s.timestamp_delta, s.key, s.is_tombstone) for s in spans] == [
        (record.offset, record.timestamp, record.key, record.value is None) for record in iter_records(batch)
    ]


@given(
    st.lists(some_record, min_size=1, max_size=12),
    st.integers(0, 4),
    st.sets(st.integers(0, 11), min_size=1),
    st.none() | st.integers(0, 2**42),
)
def test_kept_records_stay_what_they_were(
    contents: list[tuple],  # type: ignore[type-arg]
    codec: int,
    numbers: set[int],
    horizon_ms: int | None,
) -> None:
    batch = batch_of(contents, codec)
    header = parse_header(batch)
    body = open_records(batch, header)
    spans = scan_records(body, header)
    kept = [spans[number] for number in sorted(numbers) if number < len(spans)] or spans[:1]
    result = keep_records(header, body, kept, horizon_ms)
    offsets = {span.offset for span in kept}
    expected = [record for record in iter_records(batch) if record.offset in offsets]
    assert list(iter_records(result)) == expected
    changed = parse_header(result)
    assert changed.delete_horizon_ms == horizon_ms
    assert changed.max_timestamp == max(record.timestamp for record in expected)
    same = (
        "base_offset leader_epoch last_offset_delta producer_id producer_epoch base_sequence compression size".split()
    )
    assert [getattr(changed, name) for name in same[:-1]] == [getattr(header, name) for name in same[:-1]]
    assert changed.size == len(result)
    assert changed.record_count == len(expected)
    whole = keep_records(header, body, spans, None)
    assert check_batch(whole).last_offset == header.last_offset


def test_append_time_stays_that_of_the_batch() -> None:
    batch = with_append_time(encode_batch([Record(0, 1, b"a", b""), Record(1, 9, b"b", None)]), 77)
    header = parse_header(batch)
    body = open_records(batch, header)
    result = keep_records(header, body, scan_records(body, header)[1:], 500)
    assert [record.timestamp for record in iter_records(result)] == [77]
    assert parse_header(result).attributes & LOG_APPEND_TIME_BIT


@given(st.binary(max_size=40), st.integers(0, 5))
def test_records_that_cannot_be_are_corrupt(body: bytes, count: int) -> None:
    header = parse_header(encode_batch([Record(0, 0, None, b"")]))._replace(record_count=count)
    with suppress(CorruptBatch):
        assert len(scan_records(body, header)) == count


def test_a_record_longer_than_its_batch_is_corrupt() -> None:
    header = parse_header(encode_batch([Record(0, 0, None, b"")]))
    with pytest.raises(CorruptBatch, match="it ends at byte 64"):
        scan_records(b"\x7e\0\0\0\0\0\0", header)
