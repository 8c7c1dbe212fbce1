"""Transactions without a client: every answer of the coordinator, and what a crash leaves."""

from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode
from structlog.testing import capture_logs

from tailrace.broker.broker import Broker
from tailrace.broker.topics import Topic
from tailrace.broker.transactions.coordinator import MAX_EPOCH, NOBODY, ProducerIdentity
from tailrace.broker.transactions.state import RequestKind, TransactionState
from tailrace.wire.record_batch import ControlType, control_type, iter_headers

from ..conftest import Scenario, append, clock_of, create_topic, everything, running

TXN = "id"
ROW = ("topic", 0, 7, 0, "", 5)


def initialize(broker: Broker, claimed: ProducerIdentity = NOBODY) -> ProducerIdentity:
    identity = broker.transactions.initialize(TXN, 60_000, claimed)
    assert isinstance(identity, ProducerIdentity)
    return identity


def write(broker: Broker, topic: Topic, producer: ProducerIdentity, sequence: int = 0) -> None:
    """Add the partition and append a record to it."""
    assert broker.transactions.add_partitions(TXN, producer, [(topic.id, 0)]) is ErrorCode.none
    assert broker.transactions.admit_produce(producer, topic.id, 0) is ErrorCode.none
    append(broker, topic, b"v", producer=producer, sequence=sequence, transactional=True)


def end(broker: Broker, producer: ProducerIdentity, *, committed: bool) -> ErrorCode:
    return broker.transactions.end(TXN, producer, committed=committed)


def hold(broker: Broker, producer: ProducerIdentity) -> ErrorCode:
    """Let the group's offset wait for the end of the transaction."""
    error = broker.transactions.admit_offsets(TXN, producer, "group")
    if error is ErrorCode.none:
        broker.transactions.hold_offsets(producer, "group", [ROW])
    return error


def markers(topic: Topic) -> list[tuple[int, ControlType]]:
    """Epoch and kind of each marker in the topic."""
    data = everything(topic.partitions[0])
    return [
        (header.producer_epoch, control_type(data[position : position + header.size]))
        for position, header in iter_headers(data)
        if header.is_control
    ]


def state(broker: Broker) -> TransactionState:
    transaction = broker.state.transactions.get(TXN)
    assert transaction is not None
    return transaction.state


@pytest.mark.parametrize("committed", [True, False])
def test_an_end_is_a_marker_offsets_and_a_state(tmp_path: Path, run: Scenario, committed: bool) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker)
            write(broker, topic, producer)
            assert broker.transactions.add_group(TXN, producer, "group") is ErrorCode.none
            assert hold(broker, producer) is ErrorCode.none
            assert broker.state.offsets.is_unstable("group", ("topic", 0))
            frames = broker.commit.recorded_frame
            assert end(broker, producer, committed=committed) is ErrorCode.none
            assert broker.commit.recorded_frame == frames + 1
            await broker.commit.durable()
            assert markers(topic) == [(0, ControlType.COMMIT if committed else ControlType.ABORT)]
            assert topic.partitions[0].last_stable_offset == 2
            assert broker.state.offsets.committed.get("group", {}) == ({("topic", 0): ROW} if committed else {})
            assert not broker.state.offsets.is_unstable("group", ("topic", 0))
            assert end(broker, producer, committed=committed) is ErrorCode.none, "a lost answer is given again"
            assert end(broker, producer, committed=not committed) is ErrorCode.invalid_txn_state

    run(scenario)


def test_initializing_again_aborts_and_fences(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            zombie = initialize(broker)
            write(broker, topic, zombie)
            successor = initialize(broker)
            assert successor == (zombie.producer_id, zombie.producer_epoch + 1)
            await broker.commit.durable()
            assert markers(topic) == [(successor.producer_epoch, ControlType.ABORT)]
            assert end(broker, zombie, committed=True) is ErrorCode.producer_fenced
            assert broker.transactions.admit_produce(zombie, topic.id, 0) is ErrorCode.invalid_producer_epoch
            write(broker, topic, successor)

    run(scenario)


def test_a_producer_may_bump_its_own_epoch_and_ask_again(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            first = initialize(broker)
            second = initialize(broker, claimed=first)
            assert initialize(broker, claimed=first) == second, "a lost answer is given again"
            third = initialize(broker, claimed=second)
            assert broker.transactions.initialize(TXN, 60_000, first) is ErrorCode.producer_fenced
            assert [p.producer_epoch for p in (first, second, third)] == [0, 1, 2]

    run(scenario)


def test_a_new_producer_id_follows_the_last_epoch(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            first = initialize(broker)
            transaction = broker.state.transactions.get(TXN)
            assert transaction is not None
            transaction.producer_epoch = MAX_EPOCH
            second = initialize(broker)
            assert second.producer_epoch == 0
            assert second.producer_id != first.producer_id
            assert broker.state.transactions.of_producer(first.producer_id) is None

    run(scenario)


def test_what_is_not_part_of_the_transaction_is_refused(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker, partitions=2)
            producer = initialize(broker)
            coordinator = broker.transactions
            assert coordinator.admit_produce(producer, topic.id, 0) is ErrorCode.invalid_txn_state
            assert end(broker, producer, committed=True) is ErrorCode.invalid_txn_state
            write(broker, topic, producer)
            assert coordinator.admit_produce(producer, topic.id, 1) is ErrorCode.invalid_txn_state
            assert hold(broker, producer) is ErrorCode.invalid_txn_state
            stranger = ProducerIdentity(999, 0)
            assert coordinator.admit_produce(stranger, topic.id, 0) is ErrorCode.invalid_producer_id_mapping
            assert end(broker, stranger, committed=True) is ErrorCode.invalid_producer_id_mapping
            assert coordinator.initialize("", 1, NOBODY) is ErrorCode.invalid_request
            assert coordinator.initialize(TXN, 10**9, NOBODY) is ErrorCode.invalid_transaction_timeout

    run(scenario)


def test_an_overdue_transaction_is_aborted_and_its_producer_fenced(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker)
            write(broker, topic, producer)
            clock_of(broker).now_ms += 60_000
            broker.transactions.abort_overdue()
            assert state(broker) is TransactionState.ONGOING
            clock_of(broker).now_ms += 1
            with capture_logs() as logged:
                broker.transactions.abort_overdue()
            assert [(line["event"], line["transactional_id"]) for line in logged] == [("transaction timed out", TXN)]
            assert state(broker) is TransactionState.COMPLETE_ABORT
            await broker.commit.durable()
            assert markers(topic) == [(1, ControlType.ABORT)]
            assert end(broker, producer, committed=True) is ErrorCode.producer_fenced
            assert broker.transactions.initialize(TXN, 1, producer) is ErrorCode.producer_fenced

    run(scenario)


def test_an_outdated_connection_is_known(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            first = initialize(broker)
            is_outdated = broker.transactions.is_outdated
            assert not is_outdated(TXN, first, RequestKind.TRANSACTION, 3)
            assert not is_outdated(TXN, first, RequestKind.TRANSACTION, 8)
            assert is_outdated(TXN, first, RequestKind.TRANSACTION, 3)
            assert not is_outdated(TXN, first, RequestKind.OFFSETS, 3)
            assert not is_outdated("other", first, RequestKind.TRANSACTION, 1)
            second = initialize(broker)
            assert not is_outdated(TXN, second, RequestKind.TRANSACTION, 5)
            assert not is_outdated(TXN, first, RequestKind.TRANSACTION, 9), "it is fenced instead"
            assert not is_outdated(TXN, second, RequestKind.TRANSACTION, 5)

    run(scenario)


def test_an_open_transaction_survives_a_crash(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker)
            write(broker, topic, producer)
            broker.transactions.add_group(TXN, producer, "group")
            hold(broker, producer)
            await broker.commit.durable()
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            assert topic.partitions[0].last_stable_offset == 0
            write(broker, topic, producer, sequence=1)
            assert end(broker, producer, committed=True) is ErrorCode.none
            await broker.commit.durable()
            assert topic.partitions[0].last_stable_offset == 3
            assert broker.state.offsets.committed == {"group": {("topic", 0): ROW}}

    run(scenario)


def test_additions_that_a_crash_has_undone_are_made_up_for_once(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker)
            producer = initialize(broker)
            await broker.commit.durable()
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            coordinator = broker.transactions
            assert end(broker, producer, committed=False) is ErrorCode.none
            assert coordinator.admit_produce(producer, topic.id, 0) is ErrorCode.none
            append(broker, topic, b"v", producer=producer, sequence=0, transactional=True)
            assert hold(broker, producer) is ErrorCode.none
            assert end(broker, producer, committed=True) is ErrorCode.none
            await broker.commit.durable()
            assert markers(topic) == [(0, ControlType.COMMIT)]
            assert broker.state.offsets.committed == {"group": {("topic", 0): ROW}}
            assert coordinator.admit_produce(producer, topic.id, 0) is ErrorCode.invalid_txn_state
            assert end(broker, producer, committed=False) is ErrorCode.invalid_txn_state

    run(scenario)


def test_an_abort_survives_a_crash_with_its_marker(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker)
            write(broker, topic, producer)
            end(broker, producer, committed=False)
            await broker.commit.durable()
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            [aborted] = topic.partitions[0].producers.aborted_between(0, 9)
            assert (aborted.first_offset, aborted.marker_offset) == (0, 1)
            write(broker, topic, producer, sequence=1)
            end(broker, producer, committed=True)
            await broker.commit.durable()
            assert topic.partitions[0].producers.aborted_between(0, 9) == [aborted]

    run(scenario)


def test_partitions_of_a_deleted_topic_do_not_hold_up_the_end(tmp_path: Path, run: Scenario) -> None:
    from tailrace.broker.events import TopicDeleted

    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker)
            write(broker, topic, producer)
            broker.record(events=[TopicDeleted(topic.id)])
            assert end(broker, producer, committed=True) is ErrorCode.none

    run(scenario)
