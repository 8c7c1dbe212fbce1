"""Transactions by raw requests: identities, markers, what fences whom (KIP-98, KIP-360, KIP-890 part 1)."""

import struct

import pytest
from kio.schema.errors import ErrorCode

from tailrace.wire.record_batch import ControlType, control_type, iter_records, parse_header

from .conftest import READ_COMMITTED, ProducerState, Wire, batch, until


@pytest.fixture
def transactional_id(wire: Wire) -> str:
    return wire.unique("txn")


@pytest.fixture
def producer(wire: Wire, transactional_id: str) -> ProducerState:
    return wire.initialize(transactional_id)


@pytest.fixture
def topic(wire: Wire) -> str:
    return wire.topic()


def state(wire: Wire, producer: ProducerState) -> str:
    listed = wire.ask("list_transactions", 0, producer_id_filters=[producer.id]).transaction_states
    return str(next(entry.transaction_state for entry in listed))


def wait_until_ended(wire: Wire, producer: ProducerState) -> None:
    """Return when the markers of the producer's transaction are written."""
    until(lambda: state(wire, producer) not in ("Ongoing", "PrepareCommit", "PrepareAbort"))


def markers(wire: Wire, topic: str) -> list[tuple[ControlType, int, int]]:
    """Kind, producer id and epoch of each marker."""
    headers = [(parse_header(data), data) for data in wire.batches(topic)]
    return [(control_type(data), h.producer_id, h.producer_epoch) for h, data in headers if h.is_control]


# -- markers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
def test_a_marker_is_a_transactional_control_batch_with_version_type_and_coordinator(
    wire: Wire, topic: str, producer: ProducerState, committed: bool
) -> None:
    wire.write(producer, topic, b"a", b"b")
    assert wire.end(producer, committed=committed) is ErrorCode.none
    wait_until_ended(wire, producer)
    data, marker = wire.batches(topic)
    header = parse_header(marker)
    assert header.is_control
    assert header.is_transactional
    assert (header.base_offset, header.record_count, header.compression) == (2, 1, 0)
    assert (header.producer_id, header.producer_epoch) == (producer.id, producer.epoch)
    assert header.base_sequence == -1
    assert header.leader_epoch == parse_header(data).leader_epoch
    [record] = iter_records(marker)
    assert record.key == struct.pack(">hh", 0, int(committed))
    assert record.value is not None
    version, coordinator_epoch = struct.unpack(">hi", record.value[:6])
    assert version == 0
    assert coordinator_epoch >= 0
    assert record.headers == ()


def test_every_partition_with_records_of_the_transaction_gets_one_marker(wire: Wire, producer: ProducerState) -> None:
    topics = [wire.topic() for _ in range(3)]
    for name in topics:
        wire.write(producer, name, b"a")
    wire.write(producer, topics[0], b"b", added=True)
    wire.end(producer, committed=True)
    wait_until_ended(wire, producer)
    for name in topics:
        assert markers(wire, name) == [(ControlType.COMMIT, producer.id, producer.epoch)]


def test_a_marker_takes_an_offset_but_is_no_record_for_consumers(
    wire: Wire, topic: str, producer: ProducerState
) -> None:
    wire.write(producer, topic, b"a")
    wire.end(producer, committed=True)
    wait_until_ended(wire, producer)
    assert wire.append(topic, b"b") == 2
    assert [(record.offset, record.value) for record in wire.records(topic)] == [(0, b"a"), (2, b"b")]


# -- ending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
def test_an_end_that_is_sent_again_succeeds_and_the_opposite_does_not(
    wire: Wire, topic: str, producer: ProducerState, committed: bool
) -> None:
    wire.write(producer, topic, b"v")
    assert wire.end(producer, committed=committed) is ErrorCode.none
    assert wire.end(producer, committed=committed) is ErrorCode.none
    assert wire.end(producer, committed=not committed) is ErrorCode.invalid_txn_state


@pytest.mark.parametrize("committed", [True, False])
def test_there_is_nothing_to_end_before_something_was_added(
    wire: Wire, producer: ProducerState, committed: bool
) -> None:
    assert wire.end(producer, committed=committed) is ErrorCode.invalid_txn_state


def test_a_transaction_with_partitions_but_no_records_ends(wire: Wire, topic: str, producer: ProducerState) -> None:
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.none
    assert wire.end(producer, committed=True) is ErrorCode.none
    assert wire.values(topic, isolation_level=READ_COMMITTED) == []


def test_the_same_epoch_goes_on_with_the_next_transaction(wire: Wire, topic: str, producer: ProducerState) -> None:
    for number in range(3):
        wire.write(producer, topic, b"%d" % number)
        assert wire.end(producer, committed=number != 1) is ErrorCode.none
    wait_until_ended(wire, producer)
    assert wire.values(topic, isolation_level=READ_COMMITTED) == [b"0", b"2"]


def test_states_are_described_by_kafkas_names(wire: Wire, topic: str, producer: ProducerState) -> None:
    assert state(wire, producer) == "Empty"
    wire.write(producer, topic, b"v")
    [open_one] = wire.ask("describe_transactions", 0, transactional_ids=[producer.transactional_id]).transaction_states
    assert open_one.transaction_state == "Ongoing"
    assert (open_one.producer_id, open_one.producer_epoch) == (producer.id, producer.epoch)
    assert [(entry.topic, entry.partitions) for entry in open_one.topics] == [(topic, (0,))]
    wire.end(producer, committed=False)
    wait_until_ended(wire, producer)
    assert state(wire, producer) == "CompleteAbort"


# -- who may -------------------------------------------------------------------------------------------------------


def test_an_unknown_transactional_id_has_no_producer(wire: Wire, topic: str, producer: ProducerState) -> None:
    producer.transactional_id = wire.unique("unknown")
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.invalid_producer_id_mapping
    assert wire.end(producer, committed=True) is ErrorCode.invalid_producer_id_mapping


def test_another_producer_id_is_not_mapped(wire: Wire, topic: str, producer: ProducerState) -> None:
    producer.id += 1000
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.invalid_producer_id_mapping
    assert wire.end(producer, committed=True) is ErrorCode.invalid_producer_id_mapping


def test_an_empty_transactional_id_is_an_invalid_request(wire: Wire, topic: str, producer: ProducerState) -> None:
    producer.transactional_id = ""
    assert wire.init_producer_id("").error_code is ErrorCode.invalid_request
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.invalid_request
    assert wire.end(producer, committed=True) is ErrorCode.invalid_request


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_a_timeout_out_of_bounds_is_refused(wire: Wire, timeout_ms: int) -> None:
    answer = wire.init_producer_id(wire.unique("txn"), timeout_ms)
    assert answer.error_code is ErrorCode.invalid_transaction_timeout


@pytest.mark.parametrize(
    "claimed", [{"producer_id": 5, "producer_epoch": -1}, {"producer_id": -1, "producer_epoch": 5}]
)
@pytest.mark.parametrize("is_transactional", [True, False])
def test_half_an_identity_is_an_invalid_request(wire: Wire, claimed: dict[str, int], is_transactional: bool) -> None:
    transactional_id = wire.unique("txn") if is_transactional else None
    answer = wire.init_producer_id(transactional_id, **claimed)
    assert answer.error_code is ErrorCode.invalid_request


def test_if_one_partition_is_unknown_none_is_added(wire: Wire, topic: str, producer: ProducerState) -> None:
    missing = wire.unique("missing")
    answer = wire.patiently(
        "add_partitions_to_txn",
        3,
        v3_and_below_transactional_id=producer.transactional_id,
        v3_and_below_producer_id=producer.id,
        v3_and_below_producer_epoch=producer.epoch,
        v3_and_below_topics=[{"name": topic, "partitions": [0, 9]}, {"name": missing, "partitions": [0]}],
    )
    assert {
        (entry.name, partition.partition_index): partition.partition_error_code
        for entry in answer.results_by_topic_v3_and_below
        for partition in entry.results_by_partition
    } == {
        (topic, 0): ErrorCode.operation_not_attempted,
        (topic, 9): ErrorCode.unknown_topic_or_partition,
        (missing, 0): ErrorCode.unknown_topic_or_partition,
    }
    assert wire.end(producer, committed=True) is ErrorCode.invalid_txn_state


@pytest.mark.parametrize(
    ("version", "error"),
    [(3, ErrorCode.invalid_txn_state), (10, ErrorCode.invalid_txn_state), (11, ErrorCode.transaction_abortable)],
)
def test_a_batch_for_a_partition_that_was_not_added_is_refused(
    wire: Wire, topic: str, producer: ProducerState, version: int, error: ErrorCode
) -> None:
    data = batch(b"v", producer=producer, sequence=0, transactional=True)
    answer = wire.produce(topic, data, version=version, transactional_id=producer.transactional_id)
    assert answer.error_code is error
    assert wire.end_offset(topic) == 0


def test_a_late_batch_of_an_ended_transaction_is_refused(wire: Wire, topic: str, producer: ProducerState) -> None:
    wire.write(producer, topic, b"v")
    wire.end(producer, committed=False)
    wait_until_ended(wire, producer)
    data = batch(b"late", producer=producer, sequence=1, transactional=True)
    answer = wire.produce(topic, data, transactional_id=producer.transactional_id)
    assert answer.error_code is ErrorCode.invalid_txn_state
    assert wire.values(topic, isolation_level=READ_COMMITTED) == []


def test_a_transactional_batch_without_transactional_id_is_not_authorized(
    wire: Wire, topic: str, producer: ProducerState
) -> None:
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.none
    answer = wire.produce(topic, batch(b"v", producer=producer, sequence=0, transactional=True))
    assert answer.error_code is ErrorCode.transactional_id_authorization_failed


def test_a_plain_batch_within_a_transaction_is_refused(wire: Wire, topic: str, producer: ProducerState) -> None:
    wire.write(producer, topic, b"v")
    answer = wire.produce(topic, batch(b"plain", producer=producer, sequence=1))
    assert answer.error_code is ErrorCode.invalid_txn_state
    assert wire.end_offset(topic) == 1


# -- initializing again --------------------------------------------------------------------------------------------


def test_initializing_again_bumps_the_epoch_and_fences(wire: Wire, topic: str, producer: ProducerState) -> None:
    successor = wire.initialize(producer.transactional_id)
    assert successor.id == producer.id
    assert successor.epoch > producer.epoch
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.producer_fenced
    assert wire.end(producer, committed=True) is ErrorCode.producer_fenced


def test_initializing_again_aborts_what_was_open_with_a_newer_epoch(
    wire: Wire, topic: str, producer: ProducerState
) -> None:
    wire.write(producer, topic, b"zombie")
    successor = wire.initialize(producer.transactional_id)
    [(kind, producer_id, epoch)] = markers(wire, topic)
    assert (kind, producer_id) == (ControlType.ABORT, producer.id)
    assert producer.epoch < epoch <= successor.epoch
    late = batch(b"late", producer=producer, sequence=1, transactional=True)
    answer = wire.produce(topic, late, transactional_id=producer.transactional_id)
    assert answer.error_code is ErrorCode.invalid_producer_epoch
    wire.write(successor, topic, b"good")
    assert wire.end(successor, committed=True) is ErrorCode.none
    wait_until_ended(wire, successor)
    assert wire.values(topic, isolation_level=READ_COMMITTED) == [b"good"]


def test_a_producer_that_names_its_identity_gets_the_next_epoch_and_fences_nobody_else(
    wire: Wire, producer: ProducerState
) -> None:
    named = {"producer_id": producer.id, "producer_epoch": producer.epoch}
    bumped = wire.initialize(producer.transactional_id, **named)
    assert (bumped.id, bumped.epoch) == (producer.id, producer.epoch + 1)


def test_a_repeated_bump_gets_the_same_answer(wire: Wire, producer: ProducerState) -> None:
    named = {"producer_id": producer.id, "producer_epoch": producer.epoch}
    answers = [wire.initialize(producer.transactional_id, **named) for _ in range(3)]
    assert {(answer.id, answer.epoch) for answer in answers} == {(producer.id, producer.epoch + 1)}


def test_a_bump_of_a_fenced_producer_is_fenced(wire: Wire, producer: ProducerState) -> None:
    wire.initialize(producer.transactional_id)
    named = {"producer_id": producer.id, "producer_epoch": producer.epoch}
    assert wire.init_producer_id(producer.transactional_id, **named).error_code is ErrorCode.producer_fenced


def test_a_bump_with_a_foreign_producer_id_is_fenced(wire: Wire, producer: ProducerState) -> None:
    named = {"producer_id": producer.id + 1000, "producer_epoch": 0}
    assert wire.init_producer_id(producer.transactional_id, **named).error_code is ErrorCode.producer_fenced


def test_a_new_transactional_id_takes_any_identity_for_a_new_one(wire: Wire) -> None:
    answer = wire.init_producer_id(wire.unique("txn"), producer_id=7, producer_epoch=3)
    assert (answer.error_code, answer.producer_epoch) == (ErrorCode.none, 0)
    assert answer.producer_id != 7


def test_sequences_begin_anew_after_a_bump(wire: Wire, topic: str, producer: ProducerState) -> None:
    wire.write(producer, topic, b"a", b"b")
    wire.end(producer, committed=True)
    bumped = wire.initialize(producer.transactional_id, producer_id=producer.id, producer_epoch=producer.epoch)
    wire.add_partitions(bumped, (topic, 0))
    gap = batch(b"c", producer=bumped, sequence=2, transactional=True)
    answer = wire.produce(topic, gap, transactional_id=bumped.transactional_id)
    assert answer.error_code is ErrorCode.out_of_order_sequence_number
    wire.write(bumped, topic, b"c", added=True)


# -- timeout -------------------------------------------------------------------------------------------------------


def test_an_overdue_transaction_is_aborted_with_the_next_epoch_and_its_producer_fenced(wire: Wire, topic: str) -> None:
    producer = wire.initialize(wire.unique("txn"), timeout_ms=100)
    wire.write(producer, topic, b"slow")
    wait_until_ended(wire, producer)
    assert state(wire, producer) == "CompleteAbort"
    [(kind, _, epoch)] = markers(wire, topic)
    assert kind is ControlType.ABORT
    assert epoch == producer.epoch + 1
    assert wire.end(producer, committed=True) is ErrorCode.producer_fenced
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.producer_fenced
