import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.record_batch import (
    HEADER,
    HEADER_BYTES,
    LOG_OVERHEAD_BYTES,
    MAX_SEQUENCE,
    BatchHeader,
    ControlType,
    CorruptBatch,
    Record,
    add_sequence,
    check_batch,
    control_batch,
    control_type,
    encode_batch,
    is_intact,
    iter_headers,
    iter_records,
    parse_header,
    records_without_key,
    relocate,
    seal,
    with_append_time,
)

maybe_bytes = st.none() | st.binary(max_size=20)
Content = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
header_lists = st.lists(st.tuples(st.text(max_size=5), maybe_bytes), max_size=3)
contents = st.lists(st.tuples(st.integers(0, 2**40), maybe_bytes, maybe_bytes, header_lists), min_size=1, max_size=10)


def records(content: Content) -> list[Record]:
    return [
        Record(offset, timestamp, key, value, tuple(headers))
        for offset, (timestamp, key, value, headers) in enumerate(content)
    ]


@given(contents)
def test_records_come_back(
    content: Content,
) -> None:
    wanted = records(content)
    batch = encode_batch(wanted)
    assert check_batch(batch).record_count == len(wanted)
    assert list(iter_records(batch)) == wanted


@given(contents, st.integers(0, 2**40), st.integers(0, 1000))
def test_a_batch_is_moved_without_touching_what_the_crc_covers(content: Content, offset: int, epoch: int) -> None:
    batch = encode_batch(records(content))
    moved = relocate(batch, offset, epoch)
    header = check_batch(moved)
    assert (header.base_offset, header.leader_epoch) == (offset, epoch)
    assert moved[16:] == batch[16:]
    assert [record.offset for record in iter_records(moved)] == list(range(offset, offset + len(content)))


@given(contents)
def test_records_without_key_are_found(content: Content) -> None:
    wanted = [index for index, (_, key, _, _) in enumerate(content) if key is None]
    assert records_without_key(encode_batch(records(content))) == wanted


@given(st.data())
def test_any_changed_bit_behind_the_leading_bytes_is_noticed(data: st.DataObject) -> None:
    batch = bytearray(encode_batch([Record(0, 5, b"key", b"value")]))
    position = data.draw(st.integers(8, len(batch) - 1).filter(lambda position: not 12 <= position < 16))
    batch[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CorruptBatch):
        check_batch(bytes(batch))


def test_two_batches_are_not_one() -> None:
    batch = encode_batch([Record(0, 0, None, b"v")])
    with pytest.raises(CorruptBatch, match="exactly one"):
        check_batch(batch + batch)


def test_too_few_bytes_are_not_a_batch() -> None:
    batch = encode_batch([Record(0, 0, None, b"v")])
    for size in range(len(batch)):
        with pytest.raises(CorruptBatch):
            check_batch(batch[:size])
        assert not is_intact(batch[:size], 0)
    assert is_intact(batch, 0)


def test_append_time_is_given_to_all_records() -> None:
    batch = with_append_time(encode_batch([Record(0, 1, None, b"a"), Record(1, 2, None, b"b")]), 77)
    check_batch(batch)
    assert [record.timestamp for record in iter_records(batch)] == [77, 77]


@pytest.mark.parametrize("codec", range(5))
def test_records_come_back_from_every_codec(codec: int) -> None:
    records = [Record(0, 1, b"k", b"v"), Record(3, 2, None, b"w" * 10_000)]
    assert list(iter_records(encode_batch(records, attributes=codec))) == records


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 5, 7])
def test_records_that_cannot_be_decompressed_are_corrupt(codec: int) -> None:
    plain = encode_batch([Record(0, 1, b"k", b"v")])
    header = parse_header(plain)._replace(attributes=codec)
    with pytest.raises(CorruptBatch, match=f"codec {codec}"):
        next(iter_records(HEADER.pack(*header) + plain[HEADER_BYTES:]))


@pytest.mark.parametrize("wanted", list(ControlType))
def test_a_marker_says_what_it_is(wanted: ControlType) -> None:
    marker = control_batch(wanted, producer_id=5, producer_epoch=2, timestamp=9)
    header = check_batch(marker)
    assert header.is_control
    assert header.is_transactional
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (5, 2, -1)
    assert control_type(marker) is wanted


def test_headers_are_listed_up_to_a_torn_batch() -> None:
    batch = encode_batch([Record(0, 0, None, b"v")])
    data = batch + relocate(batch, 1, 0) + batch[:-1]
    assert [(position, header.base_offset) for position, header in iter_headers(data)] == [(0, 0), (len(batch), 1)]


def test_sequences_wrap_to_zero() -> None:
    assert add_sequence(MAX_SEQUENCE, 1) == 0
    header = BatchHeader(0, 0, 0, 2, 0, 0, 4, 0, 0, 1, 0, MAX_SEQUENCE - 2, 5)
    assert header.last_sequence == 1


def claiming(count: int, body: bytes) -> bytes:
    """A batch with a right CRC that claims to have so many records."""
    header = parse_header(encode_batch([Record(0, 0, None, None)]))
    size = HEADER_BYTES - LOG_OVERHEAD_BYTES + len(body)
    changed = header._replace(batch_length=size, record_count=count, last_offset_delta=count - 1)
    return seal(bytearray(HEADER.pack(*changed) + body))


def test_more_records_than_fit_are_not_believed() -> None:
    check_batch(claiming(2, bytes(14)))
    with pytest.raises(CorruptBatch, match="2147483647 records in 14 bytes"):
        check_batch(claiming(2**31 - 1, bytes(14)))


def test_a_record_of_negative_size_ends_the_search_for_keys() -> None:
    """Or else it would be found again, as many times as the header claims to have records."""
    batch = claiming(2**31 - 1, b"\x01" + bytes(20))
    with pytest.raises(CorruptBatch, match="-1 bytes"):
        records_without_key(batch)
