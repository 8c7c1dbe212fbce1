"""The engines that tests run against: what a producer wrote, a consumer of the same address reads."""

from collections.abc import Callable
from typing import Protocol

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


def test_what_is_produced_is_consumed(engine: Engine, unique: Callable[[str], str]) -> None:
    topic, group = unique("orders"), unique("readers")
    admin = AdminClient({"bootstrap.servers": engine.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(60)
    producer = Producer({"bootstrap.servers": engine.bootstrap_servers, "linger.ms": 0})
    producer.produce(topic, b"one")
    assert producer.flush(60) == 0
    consumer = Consumer(
        {"bootstrap.servers": engine.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    try:
        (message,) = consumer.consume(1, timeout=60)
    finally:
        consumer.close()
    assert message.value() == b"one"
