"""Consumer groups with confluent-kafka."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from .conftest import GIVE_UP_S, Clients


def poll_until(is_done: Callable[[], bool], *consumers: Any) -> None:
    """Let consumers take part in their group until something is the case."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while not is_done():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        for consumer in consumers:
            consumer.poll(0.02)


def assigned(consumer: Any) -> set[int]:
    return {partition.partition for partition in consumer.assignment()}


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_the_partitions_and_one_takes_over(clients: Clients, strategy: str) -> None:
    topic = clients.topic(partitions=4)
    group = clients.unique("group")
    first = clients.consumer(topic, group=group, partition_assignment_strategy=strategy)
    poll_until(lambda: len(assigned(first)) == 4, first)
    second = clients.consumer(topic, group=group, partition_assignment_strategy=strategy)
    poll_until(lambda: len(assigned(first)) == 2 and len(assigned(second)) == 2, first, second)
    assert assigned(first) | assigned(second) == {0, 1, 2, 3}
    second.unsubscribe()
    poll_until(lambda: len(assigned(first)) == 4, first, second)


def test_a_silent_member_is_expelled(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = clients.unique("group")
    silent = clients.consumer(topic, group=group, max_poll_interval_ms=6000)
    poll_until(lambda: len(assigned(silent)) == 2, silent)
    other = clients.consumer(topic, group=group)
    poll_until(lambda: len(assigned(other)) == 2, other)  # `silent` is not polled any more


def test_a_new_member_goes_on_where_the_group_committed(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer()
    for number in range(10):
        producer.produce(topic, b"%d" % number)
    producer.flush(GIVE_UP_S)
    group = clients.unique("group")
    first = clients.consumer(topic, group=group)
    for _ in range(4):
        message = first.poll(GIVE_UP_S)
    first.commit(message, asynchronous=False)
    first.close()
    second = clients.consumer(topic, group=group)
    assert second.poll(GIVE_UP_S).value() == b"4"


def test_metadata_is_committed_with_an_offset(clients: Clients) -> None:
    topic = clients.topic()
    consumer = clients.consumer()
    consumer.commit(offsets=[TopicPartition(topic, 0, 7, "note")], asynchronous=False)
    [found] = consumer.committed([TopicPartition(topic, 0)], GIVE_UP_S)
    assert (found.offset, found.metadata) == (7, "note")


def test_an_outsider_cannot_commit_for_a_group_with_members(clients: Clients) -> None:
    topic = clients.topic()
    group = clients.unique("group")
    member = clients.consumer(topic, group=group)
    poll_until(lambda: assigned(member) == {0}, member)
    outsider = clients.consumer(group=group)
    with pytest.raises(KafkaException):
        outsider.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)


def test_a_static_member_comes_back_without_a_rebalance(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = clients.unique("group")
    changes: list[str] = []
    first = clients.consumer(group=group, group_instance_id="one")
    first.subscribe(
        [topic], on_assign=lambda *_: changes.append("assign"), on_revoke=lambda *_: changes.append("revoke")
    )
    second = clients.consumer(topic, group=group, group_instance_id="two")
    poll_until(lambda: assigned(first) | assigned(second) == {0, 1} and len(assigned(first)) == 1, first, second)
    before = assigned(second)
    changes.clear()
    second.close()
    again = clients.consumer(topic, group=group, group_instance_id="two")
    poll_until(lambda: assigned(again) == before, first, again)
    assert changes == []


def test_a_static_member_is_fenced_by_its_successor(clients: Clients) -> None:
    topic = clients.topic()
    group = clients.unique("group")
    first = clients.consumer(topic, group=group, group_instance_id="one")
    poll_until(lambda: assigned(first) == {0}, first)
    second = clients.consumer(topic, group=group, group_instance_id="one")
    poll_until(lambda: assigned(second) == {0}, second)
    message = first.poll(GIVE_UP_S)
    assert message.error().code() in (KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL)


def test_groups_are_described_listed_and_deleted(clients: Clients) -> None:
    topic = clients.topic()
    group = clients.unique("group")
    admin = clients.admin
    consumer = clients.consumer(topic, group=group, client_id="me")
    poll_until(lambda: assigned(consumer) == {0}, consumer)
    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)

    described = admin.describe_consumer_groups([group])[group].result(GIVE_UP_S)
    assert described.state == ConsumerGroupState.STABLE
    [member] = described.members
    assert member.client_id == "me"
    assert [(p.topic, p.partition) for p in member.assignment.topic_partitions] == [(topic, 0)]
    listed = admin.list_consumer_groups().result(GIVE_UP_S)
    assert group in {entry.group_id for entry in listed.valid}
    with pytest.raises(KafkaException):
        admin.delete_consumer_groups([group])[group].result(GIVE_UP_S)

    consumer.unsubscribe()
    poll_until(
        lambda: admin.describe_consumer_groups([group])[group].result(GIVE_UP_S).state == ConsumerGroupState.EMPTY,
        consumer,
    )
    admin.delete_consumer_groups([group])[group].result(GIVE_UP_S)
    listed = admin.list_consumer_groups().result(GIVE_UP_S)
    assert group not in {entry.group_id for entry in listed.valid}


def test_offsets_of_a_group_are_listed_and_altered(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = clients.unique("group")
    wanted = [TopicPartition(topic, 0, 5), TopicPartition(topic, 1, 6)]
    altered = clients.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
    altered[group].result(GIVE_UP_S)
    listed = clients.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    found = listed[group].result(GIVE_UP_S).topic_partitions
    assert sorted((p.partition, p.offset) for p in found) == [(0, 5), (1, 6)]


def test_groups_are_listed_by_state_and_type(clients: Clients) -> None:
    topic, group = clients.topic(), clients.unique("group")
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5)])
    clients.admin.alter_consumer_group_offsets([wanted])[group].result(GIVE_UP_S)

    def listed(*states: ConsumerGroupState) -> set[str]:
        found = clients.admin.list_consumer_groups(states=set(states), types={ConsumerGroupType.CLASSIC})
        return {entry.group_id for entry in found.result(GIVE_UP_S).valid}

    assert group in listed(ConsumerGroupState.EMPTY)
    assert group not in listed(ConsumerGroupState.STABLE)


def test_offsets_of_a_group_with_members_cannot_be_altered(clients: Clients) -> None:
    topic, group = clients.topic(), clients.unique("group")
    member = clients.consumer(topic, group=group)
    poll_until(lambda: assigned(member) == {0}, member)
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5)])
    altered = clients.admin.alter_consumer_group_offsets([wanted])[group].result(GIVE_UP_S)
    assert [partition.error.code() for partition in altered.topic_partitions] == [KafkaError.UNKNOWN_MEMBER_ID]


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_members_with_several_assignors_agree_on_one_that_all_have(clients: Clients, strategy: str) -> None:
    topic, group = clients.topic(partitions=2), clients.unique("group")
    other = "roundrobin,range" if strategy == "range" else "cooperative-sticky"
    first = clients.consumer(topic, group=group, partition_assignment_strategy=strategy)
    second = clients.consumer(topic, group=group, partition_assignment_strategy=other)
    poll_until(lambda: len(assigned(first)) == 1 and len(assigned(second)) == 1, first, second)
    described = clients.admin.describe_consumer_groups([group])[group].result(GIVE_UP_S)
    assert described.partition_assignor == strategy
