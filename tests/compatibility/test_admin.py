"""Administration with confluent-kafka."""

import time
from typing import Any

import pytest
from confluent_kafka import ElectionType, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from .conftest import GIVE_UP_S, Clients, wait_until

OFFSET: Any = OffsetSpec  # its methods are not typed


def create(clients: Clients, *arguments: Any, **options: Any) -> None:
    [future] = clients.admin.create_topics([NewTopic(*arguments, **options)]).values()
    future.result(GIVE_UP_S)


def config(clients: Clients, topic: str) -> dict[str, Any]:
    [future] = clients.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    found: dict[str, Any] = future.result(GIVE_UP_S)
    return found


def test_a_topic_is_created_described_and_deleted(clients: Clients) -> None:
    topic = clients.topic(partitions=3)
    described = clients.admin.list_topics(topic, GIVE_UP_S).topics[topic]
    assert sorted(described.partitions) == [0, 1, 2]
    clients.admin.delete_topics([topic])[topic].result(GIVE_UP_S)
    give_up_at = time.monotonic() + GIVE_UP_S
    while clients.admin.list_topics(topic, GIVE_UP_S).topics[topic].error is None:
        assert time.monotonic() < give_up_at, "the topic is still there"


def test_a_topic_that_is_made_anew_is_empty(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer()
    producer.produce(topic, b"old")
    producer.flush(GIVE_UP_S)
    clients.admin.delete_topics([topic])[topic].result(GIVE_UP_S)
    create(clients, topic, 1, 1)
    assert clients.values(topic) == []


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (("bad name!", 1, 1), {}, KafkaError.TOPIC_EXCEPTION),
        (("..", 1, 1), {}, KafkaError.TOPIC_EXCEPTION),
        (("topic", 0, 1), {}, KafkaError.INVALID_PARTITIONS),
        (("topic", 1, 3), {}, KafkaError.INVALID_REPLICATION_FACTOR),
        (("topic", 1, 1), {"config": {"no.such.config": "1"}}, KafkaError.INVALID_CONFIG),
        (("topic", 1, 1), {"config": {"retention.ms": "soon"}}, KafkaError.INVALID_CONFIG),
    ],
)
def test_a_bad_topic_is_refused(clients: Clients, arguments: Any, options: Any, code: int) -> None:
    name, *rest = arguments
    with pytest.raises(KafkaException) as caught:
        create(clients, clients.unique(name) if name == "topic" else name, *rest, **options)
    assert caught.value.args[0].code() == code


def test_a_topic_cannot_be_created_twice(clients: Clients) -> None:
    topic = clients.topic()
    with pytest.raises(KafkaException) as caught:
        create(clients, topic, 1, 1)
    assert caught.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


def test_defaults_are_used_where_nothing_is_said(clients: Clients) -> None:
    topic = clients.unique("topic")
    create(clients, topic)
    assert len(clients.admin.list_topics(topic, GIVE_UP_S).topics[topic].partitions) >= 1


def test_validation_creates_nothing(clients: Clients) -> None:
    topic = clients.unique("topic")
    [future] = clients.admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True).values()
    future.result(GIVE_UP_S)
    assert topic not in clients.admin.list_topics(timeout=GIVE_UP_S).topics


def test_partitions_are_added(clients: Clients) -> None:
    topic = clients.topic()
    clients.admin.create_partitions([NewPartitions(topic, 4)])[topic].result(GIVE_UP_S)
    assert len(clients.admin.list_topics(topic, GIVE_UP_S).topics[topic].partitions) == 4
    with pytest.raises(KafkaException):
        clients.admin.create_partitions([NewPartitions(topic, 2)])[topic].result(GIVE_UP_S)


def test_configurations_are_described_and_altered(clients: Clients) -> None:
    topic = clients.topic(retention_ms="1000")
    before = config(clients, topic)
    assert (before["retention.ms"].value, before["retention.ms"].is_default) == ("1000", False)
    assert (before["cleanup.policy"].value, before["cleanup.policy"].is_default) == ("delete", True)

    def entry(name: str, value: str | None, operation: AlterConfigOpType) -> ConfigEntry:
        return ConfigEntry(name, value, incremental_operation=operation)

    changes = [
        entry("retention.ms", None, AlterConfigOpType.DELETE),
        entry("segment.bytes", "2000000", AlterConfigOpType.SET),
        entry("cleanup.policy", "compact", AlterConfigOpType.APPEND),
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)
    [future] = clients.admin.incremental_alter_configs([resource]).values()
    future.result(GIVE_UP_S)
    wait_until(lambda: config(clients, topic)["segment.bytes"].value == "2000000", "segment.bytes is altered")
    after = config(clients, topic)
    assert after["retention.ms"].is_default
    assert set(after["cleanup.policy"].value.split(",")) == {"delete", "compact"}


def test_records_are_deleted_up_to_an_offset(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer()
    for number in range(10):
        producer.produce(topic, b"%d" % number)
        producer.flush(GIVE_UP_S)
    partition = TopicPartition(topic, 0, 4)
    [future] = clients.admin.delete_records([partition]).values()
    assert future.result(GIVE_UP_S).low_watermark == 4
    assert clients.values(topic) == [b"%d" % number for number in range(4, 10)]
    found = clients.admin.list_offsets({partition: OFFSET.earliest()})[partition].result(GIVE_UP_S)
    assert found.offset == 4


def test_the_cluster_is_described(clients: Clients) -> None:
    described = clients.admin.describe_cluster().result(GIVE_UP_S)
    assert described.cluster_id
    assert len(described.nodes) == 1
    assert described.controller.id == described.nodes[0].id


def test_topics_are_described_by_the_admin_client(clients: Clients) -> None:
    topic, missing = clients.topic(partitions=2), clients.unique("missing")
    described = clients.admin.describe_topics(TopicCollection([topic, missing]))
    found = described[topic].result(GIVE_UP_S)
    assert (found.name, len(found.partitions), found.is_internal) == (topic, 2, False)
    assert {(p.leader.id, len(p.replicas), len(p.isr)) for p in found.partitions} == {(1, 1, 1)}
    with pytest.raises(KafkaException) as caught:
        described[missing].result(GIVE_UP_S)
    assert caught.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_configurations_can_be_replaced_as_a_whole(clients: Clients) -> None:
    topic = clients.topic(retention_ms="1000")
    [future] = clients.admin.alter_configs([ConfigResource("topic", topic, {"segment.ms": "60000"})]).values()
    future.result(GIVE_UP_S)
    wait_until(lambda: config(clients, topic)["segment.ms"].value == "60000", "segment.ms is altered")
    after = config(clients, topic)
    assert after["retention.ms"].is_default


def test_the_last_stable_offset_is_listed(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(GIVE_UP_S)
    latest = {TopicPartition(topic, 0): OFFSET.latest()}
    for level, expected in ((IsolationLevel.READ_COMMITTED, 0), (IsolationLevel.READ_UNCOMMITTED, 1)):
        [found] = clients.admin.list_offsets(latest, isolation_level=level).values()
        assert found.result(GIVE_UP_S).offset == expected
    producer.abort_transaction(GIVE_UP_S)


def test_no_leader_has_to_be_elected(clients: Clients) -> None:
    partition = TopicPartition(clients.topic(), 0)
    elected = clients.admin.elect_leaders(ElectionType.PREFERRED, [partition]).result(GIVE_UP_S)
    assert elected[partition].code() == KafkaError.ELECTION_NOT_NEEDED
