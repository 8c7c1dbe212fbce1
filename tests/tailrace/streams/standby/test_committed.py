"""What a group has committed, asked for by an instance that only keeps standbys."""

import time

from confluent_kafka import TopicPartition

from tailrace.client import Topic, TransactionalProducer, consumer, ensure_topics
from tailrace.streams.standby.committed import CommittedOffsets
from tailrace.testing.port import free_port

DEADLINE_S = 30


def wait_for(committed, sources, known):
    deadline = time.monotonic() + DEADLINE_S
    while committed.known != known and time.monotonic() < deadline:
        committed.update(sources)
        time.sleep(0.01)
    assert committed.known == known


def test_what_is_committed_is_known_and_what_an_open_transaction_has_is_not(engine, unique):
    address, topic, group = engine.bootstrap_servers, unique("topic"), unique("group")
    ensure_topics(address, [Topic(topic, 2)])
    member = consumer(address, group)
    member.subscribe([topic])
    while not member.assignment():
        member.poll(0.1)
    sources = [(topic, 0), (topic, 1)]
    committed = CommittedOffsets(address, group)
    producer = TransactionalProducer(address, unique("id"))
    for offset in (3, 5):
        producer.begin()
        producer.send_offsets([TopicPartition(topic, 1, offset)], member.consumer_group_metadata())
        if offset == 3:
            wait_for(committed, sources, {(topic, 0): 0, (topic, 1): 0})
            producer.commit()
        committed.known = {}
        wait_for(committed, sources, {(topic, 0): 0, (topic, 1): 3})
    producer.abort()
    committed.close()
    producer.close()
    member.close()


def test_nobody_waits_for_an_answer_that_does_not_come():
    committed = CommittedOffsets(f"127.0.0.1:{free_port()}", "group")
    begun = time.monotonic()
    committed.update([("topic", 0)])
    committed.update([("topic", 0)])
    assert time.monotonic() - begun < 0.5
    committed.close()
    assert committed.known == {}
