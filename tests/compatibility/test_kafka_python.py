"""kafka-python: a third client, with fetch sessions of its own and newer versions of some requests."""

import gc
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

from .conftest import GIVE_UP_S, wait_until


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


def test_offsets_are_committed_with_a_transaction(engine: Engine, unique: Callable[[str], str]) -> None:
    topic, group = unique("topic"), unique("group")
    admin: Any = KafkaAdminClient(bootstrap_servers=engine.bootstrap_servers)
    admin.create_topics([NewTopic(topic, 1, 1)])
    producer: Any = KafkaProducer(bootstrap_servers=engine.bootstrap_servers, transactional_id=unique("txn"))
    producer.init_transactions()
    partition = TopicPartition(topic, 0)
    for offset, is_committed in ((7, True), (9, False)):
        producer.begin_transaction()
        producer.send(topic, b"v").get(GIVE_UP_S)
        producer.send_offsets_to_transaction({partition: OffsetAndMetadata(offset, "", -1)}, group)
        if is_committed:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    assert admin.list_group_offsets(group)[group][partition].offset == 7
    admin.close()


@pytest.fixture
def admin(engine: Engine) -> Iterator[Any]:
    client: Any = KafkaAdminClient(bootstrap_servers=engine.bootstrap_servers)
    yield client
    client.close()


def test_topics_are_administered(engine: Engine, admin: Any, unique: Callable[[str], str]) -> None:
    topic = unique("topic")
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"retention.ms": "100000000"})])
    admin.create_partitions({topic: NewPartitions(2)})
    wait_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 2, "there are two partitions")

    def configured() -> dict[str, str]:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]
        return {name: config["value"] for name, config in found.items() if name != "min.insync.replicas"}

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"segment.ms": "60000"})])
    wait_until(lambda: configured() == {"retention.ms": "100000000", "segment.ms": "60000"}, "segment.ms is set")
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": None})])
    wait_until(lambda: configured() == {"segment.ms": "60000"}, "retention.ms is reset")

    partition = TopicPartition(topic, 0)
    producer: Any = KafkaProducer(bootstrap_servers=engine.bootstrap_servers)
    for _ in range(3):
        producer.send(topic, b"v", partition=0).get(GIVE_UP_S)
    producer.close()
    assert admin.delete_records({partition: 2})[partition]["low_watermark"] == 2
    assert admin.describe_producers([partition])[partition].active_producers[0].last_sequence == 2
    assert topic in admin.list_topics()
    admin.delete_topics([topic])


def test_groups_are_administered(admin: Any, unique: Callable[[str], str]) -> None:
    topic, group = unique("topic"), unique("group")
    admin.create_topics([NewTopic(topic, 2, 1)])
    partitions = [TopicPartition(topic, index) for index in range(2)]
    admin.alter_group_offsets(group, {partition: OffsetAndMetadata(0, "note", -1) for partition in partitions})
    found = admin.list_group_offsets(group)[group]
    assert {partition: position.metadata for partition, position in found.items()} == dict.fromkeys(partitions, "note")
    assert group in {entry["group_id"] for entry in admin.list_groups()}
    assert admin.describe_groups([group])[group]["group_state"] == "Empty"
    admin.delete_group_offsets(group, partitions[:1])
    assert list(admin.list_group_offsets(group)[group]) == partitions[1:]
    admin.delete_groups([group])
    assert group not in {entry["group_id"] for entry in admin.list_groups()}


def test_the_cluster_is_described(admin: Any) -> None:
    assert admin.describe_cluster()["controller_id"] == 1
    assert admin.describe_log_dirs()[0]["log_dirs"][0]["error_code"] == 0
