"""Apache Kafka as tests start it: it serves, and survives what a crash does to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tailrace.testing import kafka as kafka_module
from tailrace.testing.kafka import KafkaProcess

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def node() -> Iterator[KafkaProcess]:
    with KafkaProcess(partitions=3) as node:
        yield node


def produce(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all", "linger.ms": 0})
    errors: list[object] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    assert errors == [None] * len(values)


def consume(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    settings = {"bootstrap.servers": bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    consumer.subscribe([topic])
    try:
        messages = consumer.consume(count, timeout=60)
    finally:
        consumer.close()
    return [message.value() for message in messages]


def test_it_keeps_what_it_acknowledged_when_killed(node: KafkaProcess, unique: Callable[[str], str]) -> None:
    topic = unique("orders")
    produce(node.bootstrap_servers, topic, [b"1", b"2"])
    bootstrap_servers, pid = node.bootstrap_servers, node.pid
    node.kill()
    assert not psutil.pid_exists(pid)
    node.restart()
    assert node.bootstrap_servers == bootstrap_servers
    produce(bootstrap_servers, topic, [b"3"])
    assert sorted(filter(None, consume(bootstrap_servers, topic, 3))) == [b"1", b"2", b"3"]


def test_transactions_commit(node: KafkaProcess, unique: Callable[[str], str]) -> None:
    topic = unique("payments")
    producer = Producer({"bootstrap.servers": node.bootstrap_servers, "transactional.id": unique("payer")})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"paid")
    producer.commit_transaction(30)
    assert consume(node.bootstrap_servers, topic, 1) == [b"paid"]


def test_topics_get_the_partitions_asked_for(node: KafkaProcess, unique: Callable[[str], str]) -> None:
    topic = unique("events")
    produce(node.bootstrap_servers, topic, [b"1"])
    metadata = AdminClient({"bootstrap.servers": node.bootstrap_servers}).list_topics(topic, timeout=60)
    assert len(metadata.topics[topic].partitions) == 3


def test_a_taken_port_is_told(node: KafkaProcess) -> None:
    with pytest.raises(RuntimeError, match=f"port {node.port} of 127.0.0.1 is taken"):
        KafkaProcess(port=node.port).start()


def test_it_listens_on_loopback_only(node: KafkaProcess) -> None:
    listening = [
        connection for connection in psutil.Process(node.pid).net_connections() if connection.status == "LISTEN"
    ]
    assert {connection.laddr.ip for connection in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(listening) == 2


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Invalid value ninety for configuration log\.retention\.hours"):
        KafkaProcess(tmp_path, properties={"log.retention.hours": "ninety"}).start()


def test_a_missing_installation_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    assert kafka_module.kafka_home() == tmp_path
    assert KafkaProcess.available() == "Apache Kafka is not installed; run 'make provision'"
