"""A consumer that does not ask for records is noticed."""

import json
import os
import signal
import time

from confluent_kafka import TopicPartition

from tailrace.client import Fetching, Topic, consume, consumer, ensure_topics, producer


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def statistics(**states):
    partitions = {number[1:]: {"partition": int(number[1:]), "fetch_state": state} for number, state in states.items()}
    return json.dumps({"name": "c", "topics": {"t": {"topic": "t", "partitions": partitions}}, "brokers": {}})


def test_a_partition_is_stalled_when_it_waited_each_time_for_so_long():
    clock = Clock()
    fetching = Fetching(clock)
    for _ in range(3):
        fetching(statistics(_0="active", _1="validate-epoch-wait", _2="offset-query", _3="none"))
        assert fetching.stalled(11) == []
        clock.now += 5
    assert fetching.stalled(11) == ["t-1", "t-2"]
    fetching(statistics(_0="offset-wait", _1="active", _2="offset-wait"))
    assert fetching.stalled(11) == ["t-2"]
    fetching(json.dumps({"name": "c"}))
    assert fetching.stalled(0) == []


def test_a_real_consumer_waits_while_a_broker_does_not_say_where_its_log_was_cut_off(engine, unique):
    topic = unique("stalled")
    ensure_topics(engine.bootstrap_servers, [Topic(topic, 1)])
    writer = producer(engine.bootstrap_servers)
    for _ in range(2):
        writer.produce(topic, b"")
    assert writer.flush(60) == 0
    fetching = Fetching()
    reader = consumer(engine.bootstrap_servers, "none", stats_cb=fetching, statistics_interval_ms=50)
    reader.assign([TopicPartition(topic, 0, 0)])
    first = read(reader, lambda records: records)[0]
    assert fetching.stalled(0) == []
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        reader.seek(TopicPartition(topic, 0, 1, leader_epoch=first.leader_epoch()))
        read(reader, lambda _: fetching.stalled(0.2) == [f"{topic}-0"])
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    read(reader, lambda _: fetching.stalled(0) == [])
    reader.close()


def read(reader, is_enough, timeout_s=60):
    deadline, records = time.monotonic() + timeout_s, []
    while not is_enough(records):
        assert time.monotonic() < deadline
        records += consume(reader, 10, 0.05)
    return records
