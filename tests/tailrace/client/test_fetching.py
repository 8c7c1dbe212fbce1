"""A consumer that gets no records any more is noticed."""

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


def statistics(*partitions):
    given = {str(number): {"partition": number, **partition} for number, partition in enumerate(partitions)}
    return json.dumps({"name": "c", "topics": {"t": {"topic": "t", "partitions": given}}, "brokers": {}})


def read(fetch_state="active", *, desired=True, hi_offset=7, broker=1):
    return {"fetch_state": fetch_state, "desired": desired, "hi_offset": hi_offset, "broker": broker}


FINE = [read(), read(hi_offset=-1001), read("none"), read("offset-wait", desired=False), read(broker=0)]
NOT_FINE = [
    *(read(state) for state in ("offset-query", "offset-wait", "validate-epoch-wait")),
    read(hi_offset=-1),
    read(broker=-1),
]


def test_a_partition_is_stalled_when_each_time_for_so_long_it_could_not_be_read():
    clock = Clock()
    fetching = Fetching(clock)
    for _ in range(3):
        fetching(statistics(*FINE, *NOT_FINE))
        assert fetching.stalled(11) == []
        clock.now += 5
    assert fetching.stalled(11) == ["t-5", "t-6", "t-7", "t-8", "t-9"]
    fetching(statistics(*FINE, read(), *NOT_FINE[1:]))
    assert fetching.stalled(11) == ["t-6", "t-7", "t-8", "t-9"]
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
    first = poll(reader, lambda records: records)[0]
    assert fetching.stalled(0) == []
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        reader.seek(TopicPartition(topic, 0, 1, leader_epoch=first.leader_epoch()))
        poll(reader, lambda _: fetching.stalled(0.2) == [f"{topic}-0"])
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    poll(reader, lambda _: fetching.stalled(0) == [])
    reader.close()


def poll(reader, is_enough, timeout_s=60):
    deadline, records = time.monotonic() + timeout_s, []
    while not is_enough(records):
        assert time.monotonic() < deadline
        records += consume(reader, 10, 0.05)
    return records
