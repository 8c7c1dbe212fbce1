"""kafka-python: a third client, with fetch sessions of its own and newer versions of some requests."""

import gc
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from .conftest import GIVE_UP_S


@pytest.fixture(autouse=True)
def collect_clients() -> Iterator[None]:
    """End discarded clients now: while pytest parses a source, which Python 3.11 cannot take, they must not log."""
    yield
    gc.collect()


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


def consumer(engine: Engine, *topics: str, **configs: Any) -> Any:
    return KafkaConsumer(
        *topics,
        bootstrap_servers=engine.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=GIVE_UP_S * 1000,
        **configs,
    )


def test_topics_records_and_groups(engine: Engine, unique: Callable[[str], str]) -> None:
    topic, group = unique("topic"), unique("group")
    admin: Any = KafkaAdminClient(bootstrap_servers=engine.bootstrap_servers)
    admin.create_topics([NewTopic(topic, 2, 1)])
    producer: Any = KafkaProducer(bootstrap_servers=engine.bootstrap_servers)
    for number in range(20):
        producer.send(topic, b"%d" % number, partition=number % 2).get(GIVE_UP_S)
    producer.close()

    reader = consumer(engine, topic, group_id=group, enable_auto_commit=False)
    found = sorted(int(next(reader).value) for _ in range(20))
    reader.commit()
    reader.close()
    assert found == list(range(20))
    successor = consumer(engine, group_id=group)
    assert [successor.committed(TopicPartition(topic, index)) for index in range(2)] == [10, 10]
    successor.close()
    admin.delete_topics([topic])
    admin.close()


def test_a_transaction(engine: Engine, unique: Callable[[str], str]) -> None:
    topic = unique("topic")
    admin: Any = KafkaAdminClient(bootstrap_servers=engine.bootstrap_servers)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    producer: Any = KafkaProducer(bootstrap_servers=engine.bootstrap_servers, transactional_id=unique("txn"))
    producer.init_transactions()
    for value, is_committed in ((b"aborted", False), (b"committed", True)):
        producer.begin_transaction()
        producer.send(topic, value).get(GIVE_UP_S)
        if is_committed:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    reader = consumer(engine, topic, isolation_level="read_committed")
    assert next(reader).value == b"committed"
    reader.close()
