"""Expiration: who is forgotten and when, and that nobody is who may still be needed."""

from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.expiration import forget_producers
from tailrace.broker.topics import Topic
from tailrace.broker.transactions.coordinator import NOBODY, ProducerIdentity

from .conftest import NOW_MS, Scenario, append, clock_of, create_topic, running

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
IDLE = ProducerIdentity(1, 0)
BUSY = ProducerIdentity(2, 0)


def known(topic: Topic) -> set[int]:
    return set(topic.partitions[0].producers.by_id)


def initialize(broker: Broker, transactional_id: str, claimed: ProducerIdentity = NOBODY) -> ProducerIdentity:
    identity = broker.transactions.initialize(transactional_id, 60_000, claimed)
    assert isinstance(identity, ProducerIdentity)
    return identity


def test_a_producer_id_is_forgotten_one_to_two_days_after_its_last_batch(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"v", producer=IDLE)
            for hour in range(50):
                clock_of(broker).now_ms = NOW_MS + hour * HOUR_MS
                append(broker, topic, b"v", producer=BUSY, sequence=hour)
                forget_producers(broker)
                assert known(topic) == ({1, 2} if hour < 24 else {2})

    run(scenario)


def test_the_time_that_records_have_does_not_count(tmp_path: Path, run: Scenario) -> None:
    """A producer of yesterday's records is not idle."""

    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            forget_producers(broker)
            append(broker, topic, b"v", producer=IDLE, timestamp=NOW_MS - 30 * DAY_MS)
            clock_of(broker).now_ms += DAY_MS
            forget_producers(broker)
            assert known(topic) == {1}

    run(scenario)


def test_idle_time_goes_on_over_a_restart(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"v", producer=IDLE)
            forget_producers(broker)
            await broker.commit.durable()
            await broker.commit.stop(10)
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            clock_of(broker).now_ms += DAY_MS
            forget_producers(broker)
            assert known(topic) == set()

    run(scenario)


def test_a_producer_with_an_open_transaction_stays(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            producer = initialize(broker, "id")
            assert broker.transactions.add_partitions("id", producer, [(topic.id, 0)]) is ErrorCode.none
            append(broker, topic, b"v", producer=producer, transactional=True)
            for _ in range(20):
                forget_producers(broker)
                clock_of(broker).now_ms += DAY_MS
            assert known(topic) == {producer.producer_id}
            assert broker.transactions.end("id", producer, committed=True) is ErrorCode.none

    run(scenario)


def test_who_was_forgotten_may_go_on_and_is_known_again_after_a_crash(tmp_path: Path, run: Scenario) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"a", producer=IDLE, sequence=0)
            for _ in range(2):
                forget_producers(broker)
                clock_of(broker).now_ms += DAY_MS
            assert known(topic) == set()
            append(broker, topic, b"b", producer=IDLE, sequence=1)
            await broker.commit.durable()
        async with running(tmp_path) as broker:
            [topic] = broker.state.topics
            [producer] = topic.partitions[0].producers.by_id.values()
            assert [sent.base_offset for sent in producer.recent] == [0, 1]

    run(scenario)


@pytest.mark.parametrize("use", ["initialize", "transact"])
def test_a_transactional_id_is_forgotten_a_week_after_its_last_use(tmp_path: Path, run: Scenario, use: str) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            producer = initialize(broker, "id")
            clock_of(broker).now_ms += 6 * DAY_MS
            if use == "initialize":
                producer = initialize(broker, "id")
            else:
                assert broker.transactions.add_group("id", producer, "group") is ErrorCode.none
                assert broker.transactions.end("id", producer, committed=False) is ErrorCode.none
            clock_of(broker).now_ms += 7 * DAY_MS
            forget_producers(broker)
            assert broker.state.transactions.get("id") is not None
            clock_of(broker).now_ms += 1
            forget_producers(broker)
            await broker.commit.durable()
            assert broker.transactions.add_group("id", producer, "group") is ErrorCode.invalid_producer_id_mapping
        async with running(tmp_path) as broker:
            assert broker.state.transactions.get("id") is None
            assert broker.state.transactions.of_producer(producer.producer_id) is None
            assert initialize(broker, "id").producer_id > producer.producer_id

    run(scenario)
