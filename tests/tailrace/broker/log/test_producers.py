import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from tailrace.broker.log.producers import AbortedTransaction, Duplicate, Producers
from tailrace.wire.record_batch import (
    MAX_SEQUENCE,
    TRANSACTIONAL_BIT,
    BatchHeader,
    ControlType,
    Record,
    add_sequence,
    control_batch,
    encode_batch,
    parse_header,
)


def header(sequence: int, count: int = 1, epoch: int = 0, producer_id: int = 1, attributes: int = 0) -> BatchHeader:
    records = [Record(offset, 0, None, b"") for offset in range(count)]
    return parse_header(
        encode_batch(
            records,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            attributes=attributes,
        )
    )


def accept(producers: Producers, batch: BatchHeader, offset: int) -> None:
    assert producers.decide(batch) is None
    producers.evolve(batch, offset, None)


@pytest.fixture
def producers() -> Producers:
    """A producer that sent sequences 0 to 9 in batches of two, at offsets 0 to 9."""
    producers = Producers()
    for sequence in range(0, 10, 2):
        accept(producers, header(sequence, 2), sequence)
    return producers


def test_an_unknown_producer_may_begin_anywhere() -> None:
    assert Producers().decide(header(77)) is None


def test_the_next_sequence_is_accepted_and_a_gap_is_not(producers: Producers) -> None:
    assert producers.decide(header(10)) is None
    assert producers.decide(header(11)) is ErrorCode.out_of_order_sequence_number


@pytest.mark.parametrize("sequence", [0, 2, 4, 6, 8])
def test_the_last_five_batches_are_known_with_their_offsets(producers: Producers, sequence: int) -> None:
    assert producers.decide(header(sequence, 2)) == Duplicate(sequence)


def test_a_batch_that_was_cut_differently_is_not_a_duplicate(producers: Producers) -> None:
    assert producers.decide(header(8, 1)) is ErrorCode.out_of_order_sequence_number


def test_the_sixth_batch_back_is_forgotten(producers: Producers) -> None:
    accept(producers, header(10, 2), 10)
    assert producers.decide(header(0, 2)) is ErrorCode.out_of_order_sequence_number


def test_an_old_epoch_is_fenced_and_a_new_one_begins_at_zero(producers: Producers) -> None:
    assert producers.decide(header(5, epoch=1)) is ErrorCode.out_of_order_sequence_number
    accept(producers, header(0, epoch=1), 10)
    assert producers.decide(header(10)) is ErrorCode.invalid_producer_epoch


@given(st.integers(MAX_SEQUENCE - 20, MAX_SEQUENCE), st.lists(st.integers(1, 10), min_size=1, max_size=10))
def test_sequences_go_on_after_the_greatest_one(first: int, counts: list[int]) -> None:
    producers = Producers()
    sequence = first
    for offset, count in enumerate(counts):
        accept(producers, header(sequence, count), offset)
        sequence = (sequence + count) % 2**31


def transactional(sequence: int, producer_id: int = 1, epoch: int = 0) -> BatchHeader:
    return header(sequence, 1, epoch, producer_id, TRANSACTIONAL_BIT)


def end(producers: Producers, marker: ControlType, offset: int, producer_id: int = 1, epoch: int = 0) -> None:
    producers.evolve(parse_header(control_batch(marker, producer_id, epoch, 0)), offset, marker)


def test_an_open_transaction_is_undecided_from_its_first_record() -> None:
    producers = Producers()
    accept(producers, header(0, producer_id=9), 0)
    assert producers.first_undecided_offset() is None
    accept(producers, transactional(0), 1)
    accept(producers, transactional(0, producer_id=2), 2)
    accept(producers, transactional(1), 3)
    assert producers.first_undecided_offset() == 1


def test_a_transaction_is_decided_only_when_its_marker_is_durable() -> None:
    producers = Producers()
    accept(producers, transactional(0), 5)
    end(producers, ControlType.COMMIT, 6)
    assert producers.first_undecided_offset() == 5
    producers.settle(6)
    assert producers.first_undecided_offset() == 5
    producers.settle(7)
    assert producers.first_undecided_offset() is None


def test_an_end_that_is_not_durable_yet_holds_back_what_an_open_transaction_behind_it_does_not() -> None:
    producers = Producers()
    accept(producers, transactional(0), 1)
    accept(producers, transactional(0, producer_id=2), 2)
    end(producers, ControlType.COMMIT, 3)
    assert producers.first_undecided_offset() == 1
    producers.settle(4)
    assert producers.first_undecided_offset() == 2


def test_a_plain_batch_within_a_transaction_is_refused() -> None:
    producers = Producers()
    accept(producers, transactional(0), 0)
    assert producers.decide(header(1)) is ErrorCode.invalid_txn_state
    assert producers.decide(transactional(1)) is None
    end(producers, ControlType.COMMIT, 1)
    assert producers.decide(header(1)) is None


def test_aborted_transactions_are_found_by_what_they_overlap() -> None:
    producers = Producers()
    accept(producers, transactional(0), 10)
    accept(producers, transactional(0, producer_id=2), 11)
    end(producers, ControlType.ABORT, 12)
    end(producers, ControlType.COMMIT, 13, producer_id=2)
    accept(producers, transactional(1), 14)
    end(producers, ControlType.ABORT, 15)
    first, second = AbortedTransaction(1, 10, 12, 11), AbortedTransaction(1, 14, 15, 16)
    assert producers.aborted_between(0, 10) == []
    assert producers.aborted_between(12, 14) == [first]
    assert producers.aborted_between(12, 15) == [first, second]
    assert producers.aborted_between(16, 99) == []
    producers.forget_before(13)
    assert producers.aborted_between(0, 99) == [second]


@given(
    steps=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["write", "abort", "commit"])), max_size=40),
    bounds=st.tuples(st.integers(0, 45), st.integers(0, 45)),
)
def test_none_that_overlaps_is_missing(steps: list[tuple[int, str]], bounds: tuple[int, int]) -> None:
    """Whatever transactions lie inside of one another, across or beside."""
    producers = Producers()
    for offset, (producer_id, step) in enumerate(steps):
        if step == "write":
            known = producers.by_id.get(producer_id)
            sequence = add_sequence(known.recent[-1].last_sequence, 1) if known and known.recent else 0
            accept(producers, transactional(sequence, producer_id=producer_id), offset)
        else:
            end(
                producers, ControlType.ABORT if step == "abort" else ControlType.COMMIT, offset, producer_id=producer_id
            )
    low, high = min(bounds), max(bounds)
    expected = [each for each in producers.aborted if each.marker_offset >= low and each.first_offset < high]
    assert producers.aborted_between(low, high) == expected


def test_a_marker_of_the_next_epoch_fences_the_producer() -> None:
    producers = Producers()
    accept(producers, transactional(0), 0)
    end(producers, ControlType.ABORT, 1, epoch=1)
    assert producers.decide(transactional(1)) is ErrorCode.invalid_producer_epoch
    assert producers.decide(transactional(0, epoch=1)) is None


def test_a_snapshot_knows_everything(producers: Producers) -> None:
    accept(producers, transactional(0, producer_id=2), 10)
    again = Producers(producers.snapshot())
    assert again.decide(header(8, 2)) == Duplicate(8)
    assert again.first_undecided_offset() == 10
