"""Consumer groups of the newer protocol (KIP-848) with confluent-kafka."""

import subprocess
import sys
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
from confluent_kafka.admin import NewPartitions

from tailrace.testing.broker import BrokerProcess
from tests.groups import make_quick

from .conftest import GIVE_UP_S, Clients
from .test_groups import assigned, poll_until

A_CONSUMER = """\
import sys
from confluent_kafka import Consumer
server, group, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": server, "group.id": group, "group.protocol": "consumer"})
consumer.subscribe([topic])
while True:
    consumer.poll(1)
"""


def quick_group(clients: Clients, session_timeout_ms: int = 5000) -> str:
    """A group whose members are heard of often."""
    group = clients.unique("group")
    make_quick(clients.common["bootstrap.servers"], group, session_timeout_ms)
    return group


def member(clients: Clients, *topics: str, group: str, **configs: Any) -> Any:
    return clients.consumer(*topics, group=group, group_protocol="consumer", **configs)


def share(*consumers: Any) -> list[int]:
    return sorted(len(assigned(consumer)) for consumer in consumers)


def described(clients: Clients, group: str) -> Any:
    return clients.admin.describe_consumer_groups([group])[group].result(GIVE_UP_S)


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_three_members_share_the_partitions(clients: Clients, assignor: str) -> None:
    topic = clients.topic(partitions=6)
    group = quick_group(clients)
    first = member(clients, topic, group=group, group_remote_assignor=assignor)
    poll_until(lambda: share(first) == [6], first)
    second = member(clients, topic, group=group, group_remote_assignor=assignor)
    poll_until(lambda: share(first, second) == [3, 3], first, second)
    third = member(clients, topic, group=group, group_remote_assignor=assignor)
    poll_until(lambda: share(first, second, third) == [2, 2, 2], first, second, third)
    assert assigned(first) | assigned(second) | assigned(third) == set(range(6))
    third.close()
    poll_until(lambda: share(first, second) == [3, 3], first, second)


def test_range_keeps_topics_of_one_size_together_in_the_order_of_the_instances(clients: Clients) -> None:
    """Also when one of them is made later, and whoever was there first."""
    old, new = clients.topic(partitions=4), clients.unique("topic")
    group = quick_group(clients)
    second = member(clients, old, new, group=group, group_remote_assignor="range", group_instance_id="2")
    poll_until(lambda: share(second) == [4], second)
    first = member(clients, old, new, group=group, group_remote_assignor="range", group_instance_id="1")
    poll_until(lambda: share(first, second) == [2, 2], first, second)
    clients.create_topic(new, partitions=4)

    def places(consumer: Any) -> set[tuple[str, int]]:
        return {(place.topic, place.partition) for place in consumer.assignment()}

    for consumer, indexes in ((first, (0, 1)), (second, (2, 3))):
        wanted = {(topic, index) for topic in (old, new) for index in indexes}
        poll_until(lambda consumer=consumer, wanted=wanted: places(consumer) == wanted, first, second)


def test_only_what_moves_is_taken_away(clients: Clients) -> None:
    topic = clients.topic(partitions=4)
    group = quick_group(clients)
    first = member(clients, group=group)
    taken: list[set[int]] = []

    def revoke(consumer: Any, partitions: list[TopicPartition]) -> None:
        taken.append({partition.partition for partition in partitions})
        consumer.incremental_unassign(partitions)

    first.subscribe([topic], on_revoke=revoke)
    poll_until(lambda: share(first) == [4], first)
    second = member(clients, topic, group=group)
    poll_until(lambda: share(first, second) == [2, 2], first, second)
    assert [len(partitions) for partitions in taken] == [2]
    assert taken[0] == assigned(second)


def test_a_member_that_is_killed_is_expelled(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = quick_group(clients, session_timeout_ms=1000)
    other = member(clients, topic, group=group)
    poll_until(lambda: share(other) == [2], other)
    process = subprocess.Popen([sys.executable, "-c", A_CONSUMER, clients.common["bootstrap.servers"], group, topic])
    try:
        poll_until(lambda: share(other) == [1], other)
    finally:
        process.kill()
        process.wait()
    poll_until(lambda: share(other) == [2], other)


def test_a_member_that_is_not_polled_leaves(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = quick_group(clients)
    silent = member(clients, topic, group=group, max_poll_interval_ms=1000)
    poll_until(lambda: share(silent) == [2], silent)
    other = member(clients, topic, group=group)
    poll_until(lambda: share(other) == [2], other)  # `silent` is not polled any more


def test_a_static_member_comes_back_to_what_it_had(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    group = quick_group(clients)
    changes: list[str] = []
    first = member(clients, group=group, group_instance_id="one")
    first.subscribe(
        [topic], on_assign=lambda *_: changes.append("assign"), on_revoke=lambda *_: changes.append("revoke")
    )
    second = member(clients, topic, group=group, group_instance_id="two")
    poll_until(lambda: share(first, second) == [1, 1], first, second)
    before = assigned(second)
    changes.clear()
    second.close()
    again = member(clients, topic, group=group, group_instance_id="two")
    poll_until(lambda: assigned(again) == before, first, again)
    assert changes == []


def test_an_instance_id_that_is_in_use_is_refused(clients: Clients) -> None:
    topic = clients.topic()
    group = quick_group(clients)
    first = member(clients, topic, group=group, group_instance_id="one")
    poll_until(lambda: share(first) == [1], first)
    second = member(clients, topic, group=group, group_instance_id="one")
    message = second.poll(GIVE_UP_S)
    assert message is not None
    assert message.error().code() in (KafkaError.UNRELEASED_INSTANCE_ID, KafkaError._FATAL)
    assert share(first) == [1]


def test_a_new_member_goes_on_where_the_group_committed(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer()
    for number in range(10):
        producer.produce(topic, b"%d" % number)
    producer.flush(GIVE_UP_S)
    group = quick_group(clients)
    first = member(clients, topic, group=group)
    for _ in range(4):
        message = first.poll(GIVE_UP_S)
    first.commit(message, asynchronous=False)
    first.close()
    second = member(clients, topic, group=group)
    assert second.poll(GIVE_UP_S).value() == b"4"


def test_offsets_are_committed_in_a_transaction(clients: Clients) -> None:
    topic = clients.topic()
    group = quick_group(clients)
    consumer = member(clients, topic, group=group)
    poll_until(lambda: share(consumer) == [1], consumer)
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    offsets = [TopicPartition(topic, 0, 3)]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), GIVE_UP_S)
    producer.commit_transaction(GIVE_UP_S)
    [found] = consumer.committed([TopicPartition(topic, 0)], GIVE_UP_S)
    assert found.offset == 3


def test_an_outsider_cannot_commit_for_a_group_with_members(clients: Clients) -> None:
    topic = clients.topic()
    group = quick_group(clients)
    consumer = member(clients, topic, group=group)
    poll_until(lambda: share(consumer) == [1], consumer)
    outsider = clients.consumer(group=group)
    with pytest.raises(KafkaException):
        outsider.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)


def test_topics_that_come_and_grow_are_assigned(clients: Clients) -> None:
    name = clients.unique("later")
    first = clients.topic(partitions=1)
    group = quick_group(clients)
    consumer = member(clients, first, name, group=group)
    poll_until(lambda: share(consumer) == [1], consumer)
    clients.create_topic(name, partitions=2)
    poll_until(lambda: share(consumer) == [2] and len(consumer.assignment()) == 3, consumer)
    clients.admin.create_partitions([NewPartitions(name, 4)])[name].result(GIVE_UP_S)
    poll_until(lambda: len(consumer.assignment()) == 5, consumer)
    clients.admin.delete_topics([name])[name].result(GIVE_UP_S)
    poll_until(lambda: len(consumer.assignment()) == 1, consumer)


def test_a_regular_expression_subscribes(clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    clients.topic()
    consumer = member(clients, f"^{topic}$", group=quick_group(clients))
    poll_until(lambda: share(consumer) == [2], consumer)
    assert {partition.topic for partition in consumer.assignment()} == {topic}


def test_groups_are_described_listed_and_deleted(clients: Clients) -> None:
    topic = clients.topic()
    group = quick_group(clients)
    admin = clients.admin
    consumer = member(clients, topic, group=group, client_id="me")
    poll_until(lambda: share(consumer) == [1], consumer)
    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)

    found = described(clients, group)
    assert (found.state, found.type) == (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER)
    assert found.partition_assignor == "uniform"
    [only] = found.members
    assert only.client_id == "me"
    assert [(p.topic, p.partition) for p in only.assignment.topic_partitions] == [(topic, 0)]

    def listed(**filters: Any) -> dict[str, Any]:
        valid = admin.list_consumer_groups(**filters).result(GIVE_UP_S).valid
        return {entry.group_id: (entry.state, entry.type) for entry in valid}

    stable = (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER)
    assert listed()[group] == stable
    assert listed(types={ConsumerGroupType.CONSUMER}, states={ConsumerGroupState.STABLE})[group] == stable
    assert group not in listed(types={ConsumerGroupType.CLASSIC})
    assert group not in listed(states={ConsumerGroupState.EMPTY})
    with pytest.raises(KafkaException):
        admin.delete_consumer_groups([group])[group].result(GIVE_UP_S)

    consumer.close()
    assert described(clients, group).state == ConsumerGroupState.EMPTY
    admin.delete_consumer_groups([group])[group].result(GIVE_UP_S)
    assert group not in listed()
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    assert offsets[group].result(GIVE_UP_S).topic_partitions == []


def test_an_empty_group_changes_its_protocol_and_keeps_its_offsets(clients: Clients) -> None:
    topic = clients.topic()
    group = quick_group(clients)

    def use(offset: int, **configs: Any) -> int:
        """Join, see what is committed, and commit."""
        consumer = clients.consumer(topic, group=group, **configs)
        poll_until(lambda: share(consumer) == [1], consumer)
        [found] = consumer.committed([TopicPartition(topic, 0)], GIVE_UP_S)
        consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        consumer.close()
        return int(found.offset)

    use(3, group_protocol="classic")
    assert use(5, group_protocol="consumer") == 3
    assert described(clients, group).type == ConsumerGroupType.CONSUMER
    assert use(7, group_protocol="classic") == 5
    assert described(clients, group).type == ConsumerGroupType.CLASSIC


def test_members_survive_a_kill_of_the_broker(own_broker: BrokerProcess, own_clients: Clients) -> None:
    quick = {"reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 50, "retry_backoff_ms": 20}
    topic = own_clients.topic(partitions=4)
    group = quick_group(own_clients)
    changes: list[str] = []
    consumers = [member(own_clients, group=group, **quick) for _ in range(2)]
    for consumer in consumers:
        consumer.subscribe(
            [topic], on_assign=lambda *_: changes.append("assign"), on_revoke=lambda *_: changes.append("revoke")
        )
    poll_until(lambda: share(*consumers) == [2, 2], *consumers)
    changes.clear()
    own_broker.kill()
    own_broker.start()
    producer = own_clients.producer()
    for index in range(4):
        producer.produce(topic, b"after", partition=index)
    assert producer.flush(GIVE_UP_S) == 0
    read = 0
    while read < 4:
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None and not message.error():
                consumer.commit(message, asynchronous=False)
                read += 1
    assert changes == []
    assert share(*consumers) == [2, 2]
