"""Sequences of idempotent producers: what is a duplicate, what is a gap, what an epoch changes (KIP-98, KIP-360)."""

from collections.abc import Callable

import pytest
from kio.schema.errors import ErrorCode

from tailrace.wire.record_batch import MAX_SEQUENCE

from .conftest import ProducerState, Wire, batch


@pytest.fixture
def producer(wire: Wire) -> ProducerState:
    return wire.initialize()


@pytest.fixture
def topic(wire: Wire) -> str:
    return wire.topic()


Send = Callable[..., tuple[ErrorCode, int]]


@pytest.fixture
def send(wire: Wire, topic: str, producer: ProducerState) -> Send:
    """Sends a batch; gives the error and the base offset."""

    def send_one(sequence: int, count: int = 1, epoch: int = 0, partition: int = 0) -> tuple[ErrorCode, int]:
        values = [b"%d" % number for number in range(sequence, sequence + count)]
        data = batch(*values, producer=(producer.id, epoch), sequence=sequence)
        answer = wire.produce(topic, data, partition=partition)
        return answer.error_code, answer.base_offset

    return send_one


GAP = ErrorCode.out_of_order_sequence_number, -1


def ok(offset: int) -> tuple[ErrorCode, int]:
    return ErrorCode.none, offset


@pytest.mark.parametrize("number", range(5))
def test_a_duplicate_of_the_last_five_batches_gets_its_original_offset(
    wire: Wire, topic: str, send: Send, number: int
) -> None:
    for sequence in range(0, 10, 2):
        assert send(sequence, 2) == ok(sequence)
    assert send(number * 2, 2) == ok(number * 2)
    assert wire.end_offset(topic) == 10


def test_a_duplicate_of_the_sixth_batch_back_is_out_of_order(wire: Wire, topic: str, send: Send) -> None:
    for sequence in range(6):
        assert send(sequence) == ok(sequence)
    error, _ = send(0)
    assert error is ErrorCode.out_of_order_sequence_number
    assert wire.end_offset(topic) == 6


def test_a_batch_that_overlaps_one_before_is_out_of_order(send: Send) -> None:
    assert send(0, 2) == ok(0)
    assert send(1, 2) == GAP
    assert send(0, 3) == GAP
    assert send(0, 1) == GAP


def test_a_gap_is_out_of_order_and_the_next_sequence_is_not(send: Send) -> None:
    assert send(0) == ok(0)
    assert send(2) == GAP
    assert send(1) == ok(1)


@pytest.mark.parametrize("sequence", [0, 1, 77, MAX_SEQUENCE])
def test_an_unknown_producer_may_begin_with_any_sequence(send: Send, sequence: int) -> None:
    assert send(sequence) == ok(0)


def test_each_partition_counts_by_itself(wire: Wire, producer: ProducerState) -> None:
    topic = wire.topic(2)
    for index in range(2):
        data = batch(b"v", producer=producer, sequence=0)
        assert wire.produce(topic, data, partition=index).error_code is ErrorCode.none
    answer = wire.produce(topic, batch(b"v", producer=producer, sequence=1), partition=1)
    assert (answer.error_code, answer.base_offset) == ok(1)


def test_a_new_epoch_begins_at_zero(send: Send) -> None:
    assert send(0) == ok(0)
    assert send(1, epoch=1) == GAP
    assert send(0, epoch=1) == ok(1)
    assert send(1, epoch=1) == ok(2)


def test_an_old_epoch_is_fenced(send: Send) -> None:
    assert send(0) == ok(0)
    assert send(0, epoch=1) == ok(1)
    assert send(1) == (ErrorCode.invalid_producer_epoch, -1)
    assert send(0) == (ErrorCode.invalid_producer_epoch, -1), "not even as a duplicate"


def test_sequences_go_on_with_zero_after_the_greatest(send: Send) -> None:
    assert send(MAX_SEQUENCE) == ok(0)
    assert send(0) == ok(1)
    assert send(1) == ok(2)


def test_a_batch_may_hold_the_greatest_sequence_and_zero(send: Send) -> None:
    assert send(MAX_SEQUENCE - 1, 3) == ok(0)
    assert send(MAX_SEQUENCE - 1, 3) == ok(0)
    assert send(2) == GAP
    assert send(1) == ok(3)


def test_a_producer_whose_records_were_all_deleted_is_still_known(wire: Wire, topic: str, send: Send) -> None:
    assert send(0) == ok(0)
    wanted = {"name": topic, "partitions": [{"partition_index": 0, "offset": -1}]}
    assert wire.ask("delete_records", 2, topics=[wanted], timeout=10_000).topics[0].partitions[0].low_watermark == 1
    assert send(0) == ok(0)
    assert send(1) == ok(1)


def test_a_producer_id_without_a_sequence_is_an_invalid_record(wire: Wire, topic: str, producer: ProducerState) -> None:
    answer = wire.produce(topic, batch(b"v", producer=producer, sequence=-1))
    assert answer.error_code is ErrorCode.invalid_record


def test_every_idempotent_producer_gets_an_id_of_its_own(wire: Wire) -> None:
    producers = [wire.initialize() for _ in range(3)]
    assert len({producer.id for producer in producers}) == 3
    assert {producer.epoch for producer in producers} == {0}


def test_open_requests_of_a_producer_are_taken_in_their_order(wire: Wire, topic: str, producer: ProducerState) -> None:
    from .conftest import produce_fields

    sent = [
        wire.send("produce", 9, **produce_fields({(topic, 0): batch(b"v", producer=producer, sequence=sequence)}))
        for sequence in (0, 1, 2, 1, 3)
    ]
    answers = [wire.receive(request).responses[0].partition_responses[0] for request in sent]
    assert [(answer.error_code, answer.base_offset) for answer in answers] == [ok(0), ok(1), ok(2), ok(1), ok(3)]
