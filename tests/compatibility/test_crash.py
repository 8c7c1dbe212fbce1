"""A broker that is killed while clients work with it; the embedded one only, Apache Kafka has its own tests."""

import resource
import threading
import time
from random import Random
from typing import Any

import psutil
from confluent_kafka import KafkaException

from tailrace.testing.broker import BrokerProcess
from tests.soak import SEED, SOAK

from .conftest import GIVE_UP_S, Clients

KILLS = 500 if SOAK else 3
QUICK = {"retry_backoff_ms": 20, "retry_backoff_max_ms": 50, "reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 50}


def test_everything_acknowledged_is_served_after_kills(own_broker: BrokerProcess, own_clients: Clients) -> None:
    topic, random = own_clients.topic(), Random(SEED)
    acknowledged: dict[int, bytes] = {}
    go_on = threading.Event()
    go_on.set()

    def remember(error: object, message: object) -> None:
        assert error is None, error
        acknowledged[message.offset()] = message.value()  # type: ignore[attr-defined]

    producer = own_clients.producer(**QUICK)

    def produce() -> None:
        number = 0
        while go_on.is_set():
            if len(producer) < 5000:
                producer.produce(topic, b"%d" % number, on_delivery=remember)
                number += 1
            producer.poll(0.0001)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        for _ in range(KILLS):
            wanted = len(acknowledged) + random.randrange(1, 1000)
            while len(acknowledged) < wanted:
                assert thread.is_alive()
                producer.poll(0.001)
            own_broker.kill()
            own_broker.start()
    finally:
        go_on.clear()
        thread.join()
    assert producer.flush(GIVE_UP_S) == 0
    served = own_clients.values(topic)
    assert served == [b"%d" % number for number in range(len(served))], "lost, repeated or out of order"
    assert {offset: served[offset] for offset in acknowledged} == acknowledged


def test_a_transaction_survives_a_kill(own_broker: BrokerProcess, own_clients: Clients) -> None:
    topic = own_clients.topic()
    producer = own_clients.transactional("txn", **QUICK)
    producer.begin_transaction()
    producer.produce(topic, b"before")
    producer.flush(GIVE_UP_S)
    own_broker.kill()
    own_broker.start()
    producer.produce(topic, b"after")
    producer.commit_transaction(GIVE_UP_S)
    assert own_clients.values(topic) == [b"before", b"after"]


def test_each_transaction_is_there_completely_or_not_at_all(own_broker: BrokerProcess, own_clients: Clients) -> None:
    left, right, random = own_clients.topic(), own_clients.topic(), Random(SEED)
    producer = own_clients.transactional("txn", **QUICK)
    answered: list[bytes] = []
    done = threading.Event()

    def transact(value: bytes) -> None:
        producer.begin_transaction()
        try:
            producer.produce(left, value)
            producer.produce(right, value)
            producer.commit_transaction(GIVE_UP_S)
            answered.append(value)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            producer.abort_transaction(GIVE_UP_S)

    def work() -> None:
        number = 0
        while not done.is_set():
            transact(b"%d" % number)
            number += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in range(KILLS):
            wanted = len(answered) + random.randrange(1, 50)
            while len(answered) < wanted:
                assert thread.is_alive()
                time.sleep(0.001)
            own_broker.kill()
            own_broker.start()
    finally:
        done.set()
        thread.join()
    found = own_clients.values(left)
    assert found == own_clients.values(right)
    assert set(answered) <= set(found)
    assert len(set(found)) == len(found)


def test_offsets_topics_and_members_survive_a_kill(own_broker: BrokerProcess, own_clients: Clients) -> None:
    topic = own_clients.topic()
    producer = own_clients.producer(**QUICK)
    for number in range(4):
        producer.produce(topic, b"%d" % number)
    producer.flush(GIVE_UP_S)
    consumer = own_clients.consumer(topic, group="group", **QUICK)
    assert [consumer.poll(GIVE_UP_S).value() for _ in range(2)] == [b"0", b"1"]
    consumer.commit(asynchronous=False)
    own_broker.kill()
    own_broker.start()
    assert [consumer.poll(GIVE_UP_S).value() for _ in range(2)] == [b"2", b"3"]
    consumer.commit(asynchronous=False)
    consumer.close()
    own_broker.restart()
    producer.produce(topic, b"4")
    producer.flush(GIVE_UP_S)
    assert own_clients.consumer(topic, group="group").poll(GIVE_UP_S).value() == b"4"


def test_a_full_disk_ends_the_broker_and_loses_nothing(own_broker: BrokerProcess, own_clients: Clients) -> None:
    """A limit of the size of files stands in for a full disk."""
    topic = own_clients.topic()
    acknowledged: dict[int, bytes] = {}

    def remember(error: Any, message: Any) -> None:
        if error is None:
            acknowledged[message.offset()] = message.value()

    producer = own_clients.producer(message_timeout_ms=5000, **QUICK)
    broker = psutil.Process(own_broker.pid)
    broker.rlimit(psutil.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    number = 0
    while broker.status() != psutil.STATUS_ZOMBIE:
        if len(producer) < 100:
            producer.produce(topic, b"%d" % number + b"x" * 10_000, on_delivery=remember)
            number += 1
        producer.poll(0.001)
    assert "writing to disk failed, stopping at once" in own_broker.log_file.read_text()
    assert len(acknowledged) > 10
    own_broker.kill()
    own_broker.start()
    producer.flush(GIVE_UP_S)
    served = own_clients.values(topic)
    assert {offset: served[offset] for offset in acknowledged} == acknowledged
