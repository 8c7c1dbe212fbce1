"""Topics and confluent-kafka clients for the tests of this directory; quiet, fast to connect, and safe.

Clients are typed `Any`: confluent-kafka says of nearly every result that it may be None.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tailrace.testing.broker import BrokerProcess

from .java_tools import JavaTools

GIVE_UP_S = 60


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


class Clients:
    """Makes clients of one engine and closes them at the end of the test."""

    def __init__(self, engine: Engine, unique: Callable[[str], str], stack: ExitStack) -> None:
        self.unique = unique
        self._stack = stack
        self.common: dict[str, Any] = {"bootstrap.servers": engine.bootstrap_servers, "log_level": 0}
        self.admin: Any = AdminClient(self.common)

    def topic(self, partitions: int = 1, **configs: str) -> str:
        return self.create_topic(self.unique("topic"), partitions, **configs)

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        wanted = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in configs.items()})
        self.admin.create_topics([wanted])[name].result(GIVE_UP_S)
        return name

    def partition(self, topic: str, index: int = 0) -> TopicPartition:
        return TopicPartition(topic, index)

    def producer(self, **configs: Any) -> Any:
        return Producer(self.common | {"linger.ms": 0, "enable.idempotence": True} | dotted(configs))

    def transactional(self, transactional_id: str, **configs: Any) -> Any:
        producer = self.producer(transactional_id=transactional_id, **configs)
        producer.init_transactions(GIVE_UP_S)
        return producer

    def consumer(self, *topics: str, group: str | None = None, **configs: Any) -> Any:
        """A consumer of its own group unless one is given, from the beginning, read_committed, without auto-commit."""
        settings = {
            "group.id": group or self.unique("group"),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 10,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 200,
        }
        if configs.get("group_protocol") == "consumer":  # there the group has these
            del settings["session.timeout.ms"], settings["heartbeat.interval.ms"]
        consumer = Consumer(self.common | settings | dotted(configs))
        self._stack.callback(consumer.close)
        if topics:
            consumer.subscribe(list(topics))
        return consumer

    def values(self, topic: str, **configs: Any) -> list[bytes | None]:
        """All values that a topic has now, in the order of its only partition."""
        consumer = self.consumer(topic, enable_partition_eof=True, **configs)
        found: list[bytes | None] = []
        while True:
            message = consumer.poll(GIVE_UP_S)
            assert message is not None, f"the end of {topic} was not reached within {GIVE_UP_S} s"
            if message.error():
                return found
            found.append(message.value())


def dotted(configs: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "."): value for key, value in configs.items()}


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for what follows a little later: Apache Kafka's broker learns what its controller has answered already."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while not is_so():
        assert time.monotonic() < give_up_at, f"not within {GIVE_UP_S} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def clients(engine: Engine, unique: Callable[[str], str]) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(engine, unique, stack)


@pytest.fixture
def own_broker() -> Iterator[BrokerProcess]:
    """An embedded broker that the test may kill."""
    with BrokerProcess() as process:
        yield process


@pytest.fixture
def own_clients(own_broker: BrokerProcess, unique: Callable[[str], str]) -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(own_broker, unique, stack)


@pytest.fixture(scope="session")
def java_tools() -> Iterator[JavaTools]:
    """Apache Kafka's command line tools."""
    with JavaTools() as tools:
        yield tools
