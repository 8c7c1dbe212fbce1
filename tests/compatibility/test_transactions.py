"""Transactions with confluent-kafka."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from .conftest import GIVE_UP_S, Clients


def committed(consumer: Any, topic: str) -> int:
    [position] = consumer.committed([TopicPartition(topic, 0)], GIVE_UP_S)
    return int(position.offset)


def test_only_committed_records_are_read_committed(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.transactional(clients.unique("txn"))
    for number in range(6):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number)
        if number % 2:
            producer.abort_transaction(GIVE_UP_S)
        else:
            producer.commit_transaction(GIVE_UP_S)
    assert clients.values(topic) == [b"0", b"2", b"4"]
    # Records that were still in the client when the transaction was aborted never reached the topic.
    uncommitted = clients.values(topic, isolation_level="read_uncommitted")
    assert {b"0", b"2", b"4"} <= set(uncommitted)


def test_aborted_records_that_reached_the_topic_are_hidden(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(GIVE_UP_S)
    producer.abort_transaction(GIVE_UP_S)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(GIVE_UP_S)
    assert clients.values(topic) == [b"committed"]
    assert clients.values(topic, isolation_level="read_uncommitted") == [b"aborted", b"committed"]


def test_an_open_transaction_holds_back_what_follows(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(GIVE_UP_S)
    other = clients.producer()
    other.produce(topic, b"plain")
    other.flush(GIVE_UP_S)
    assert clients.values(topic) == []
    assert clients.values(topic, isolation_level="read_uncommitted") == [b"open", b"plain"]
    producer.commit_transaction(GIVE_UP_S)
    assert clients.values(topic) == [b"open", b"plain"]


def test_a_transaction_spans_partitions(clients: Clients) -> None:
    topics = [clients.topic() for _ in range(3)]
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    for topic in topics:
        producer.produce(topic, b"v")
    producer.commit_transaction(GIVE_UP_S)
    assert [clients.values(topic) for topic in topics] == [[b"v"]] * 3


@pytest.mark.parametrize("commits", [True, False])
def test_offsets_are_committed_with_the_transaction(clients: Clients, commits: bool) -> None:
    source, sink = clients.topic(), clients.topic()
    plain = clients.producer()
    for number in range(3):
        plain.produce(source, b"%d" % number)
    plain.flush(GIVE_UP_S)
    consumer = clients.consumer(source)
    for _ in range(3):
        assert consumer.poll(GIVE_UP_S).error() is None
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    producer.produce(sink, b"result")
    producer.send_offsets_to_transaction(
        consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), GIVE_UP_S
    )
    if commits:
        producer.commit_transaction(GIVE_UP_S)
    else:
        producer.abort_transaction(GIVE_UP_S)
    assert committed(consumer, source) == (3 if commits else -1001)
    assert clients.values(sink) == ([b"result"] if commits else [])


def test_a_second_producer_with_the_same_id_fences_the_first(clients: Clients) -> None:
    topic = clients.topic()
    transactional_id = clients.unique("txn")
    first = clients.transactional(transactional_id)
    first.begin_transaction()
    first.produce(topic, b"zombie")
    first.flush(GIVE_UP_S)
    second = clients.transactional(transactional_id)
    second.begin_transaction()
    second.produce(topic, b"successor")
    second.commit_transaction(GIVE_UP_S)
    with pytest.raises(KafkaException) as caught:
        first.commit_transaction(GIVE_UP_S)
    assert caught.value.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED)
    assert caught.value.args[0].fatal()
    assert clients.values(topic) == [b"successor"]


def test_a_transaction_that_takes_too_long_is_aborted(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.transactional(clients.unique("txn"), transaction_timeout_ms=1000)
    producer.begin_transaction()
    producer.produce(topic, b"slow")
    producer.flush(GIVE_UP_S)
    other = clients.producer()
    other.produce(topic, b"plain")
    other.flush(GIVE_UP_S)
    # What follows the open transaction can be read only when the broker has ended it.
    assert clients.consumer(topic).poll(GIVE_UP_S + 10).value() == b"plain"
    with pytest.raises(KafkaException):
        producer.commit_transaction(GIVE_UP_S)


def test_a_transaction_without_anything_in_it_can_be_ended(clients: Clients) -> None:
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    producer.commit_transaction(GIVE_UP_S)
    producer.begin_transaction()
    producer.abort_transaction(GIVE_UP_S)


def test_an_expelled_member_cannot_commit_offsets_in_a_transaction(clients: Clients) -> None:
    topic = clients.topic()
    group = clients.unique("group")
    plain = clients.producer()
    plain.produce(topic, b"v")
    plain.flush(GIVE_UP_S)
    zombie = clients.consumer(topic, group=group)
    assert zombie.poll(GIVE_UP_S).value() == b"v"
    metadata = zombie.consumer_group_metadata()
    zombie.close()
    successor = clients.consumer(topic, group=group)
    assert successor.poll(GIVE_UP_S).value() == b"v"
    producer = clients.transactional(clients.unique("txn"))
    producer.begin_transaction()
    with pytest.raises(KafkaException) as caught:
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], metadata, GIVE_UP_S)
    assert caught.value.args[0].txn_requires_abort()
    producer.abort_transaction(GIVE_UP_S)
    assert committed(successor, topic) == -1001
