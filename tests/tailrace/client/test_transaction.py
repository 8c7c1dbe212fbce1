"""The transactional producer while no broker answers; what it does with one, the streams' and Connect's tests show."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka import KafkaError

from tailrace.client import (
    ProducerFenced,
    Topic,
    TransactionAborted,
    TransactionalProducer,
    ensure_topics,
    read_to_end,
)
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tests.conftest import Engine


def test_it_waits_for_a_broker_that_comes_late(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path, free_port())
    asked = itertools.count(1)

    def give_up() -> bool:
        if next(asked) == 2:
            broker.start()
        return False

    try:
        TransactionalProducer(f"127.0.0.1:{broker.port}", "id", give_up=give_up).close()
    finally:
        broker.stop()
    assert next(asked) > 2


def test_no_broker_is_waited_for_by_who_gives_up() -> None:
    asked = itertools.count(1)
    with pytest.raises(ProducerFenced):
        TransactionalProducer(f"127.0.0.1:{free_port()}", "id", give_up=lambda: next(asked) == 2)
    assert next(asked) == 3


def open_transaction(broker: BrokerProcess, give_up: Callable[[], bool]) -> TransactionalProducer:
    """A transaction of one record, which the broker has."""
    ensure_topics(broker.bootstrap_servers, [Topic("t")])
    producer = TransactionalProducer(broker.bootstrap_servers, "id", give_up=give_up)
    producer.begin()
    delivered = Event()
    producer.produce("t", b"value", on_delivery=lambda *_: delivered.set())
    while not delivered.is_set():
        producer.poll(0.1)
    return producer


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_the_end_of_a_transaction_is_given_up(end: str) -> None:
    with BrokerProcess() as broker:
        producer = open_transaction(broker, give_up=lambda: True)
        broker.kill()
        with pytest.raises(ProducerFenced):
            getattr(producer, end)()
        producer.close()


@pytest.mark.parametrize(("end", "served"), [("commit", [b"value"]), ("abort", [])])
def test_a_transaction_ends_when_the_broker_is_back(end: str, served: list[bytes]) -> None:
    """Also after the first try has run out of time."""
    with BrokerProcess() as broker:
        asked = itertools.count(1)

        def give_up() -> bool:
            if next(asked) == 2:
                broker.start()
            return False

        producer = open_transaction(broker, give_up)
        broker.kill()
        getattr(producer, end)()
        producer.close()
        assert next(asked) > 2
        assert [record.value() for record in read_to_end(broker.bootstrap_servers, ["t"])] == served


def test_a_refused_record_is_told_from_an_aborted_transaction(engine: Engine, unique: Callable[[str], str]) -> None:
    small = unique("small")
    ensure_topics(engine.bootstrap_servers, [Topic(small, config={"max.message.bytes": "1000"})])
    producer = TransactionalProducer(engine.bootstrap_servers, unique("id"))
    producer.begin()
    producer.produce(small, random.Random(1).randbytes(5000))
    producer.flush()
    with pytest.raises(TransactionAborted, match=r"[Mm]essage size too large") as aborted:
        producer.commit()
    assert aborted.value.may_be_refusal
    # The sequence numbers have a gap now.
    assert producer.must_be_replaced
    producer.close()


def test_topics_that_cannot_be_written_to(broker: Engine, unique: Callable[[str], str]) -> None:
    there = unique("there")
    ensure_topics(broker.bootstrap_servers, [Topic(there)])
    producer = TransactionalProducer(broker.bootstrap_servers, unique("id"))
    assert producer.why_not_to(there) is None
    missing, invalid = producer.why_not_to(unique("missing")), producer.why_not_to("no topic!")
    assert missing is not None
    assert missing.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert invalid is not None
    assert invalid.code() == KafkaError.TOPIC_EXCEPTION
    producer.close()
