"""The runtime on real brokers: exactly once, whatever is stopped, replaced or frozen."""

import threading
import time
from collections import Counter

import pytest
from confluent_kafka import TopicPartition

from tailrace.client import Topic, consume, consumer, ensure_topics, producer, read_to_end
from tailrace.streams import StreamsConfig, TopologyError, run
from tests.tailrace.streams.sums import Add, Added, PackSerde, topology

PARTITIONS = 3
SESSION_TIMEOUT_MS = 2_000


class Application:
    """The sums topology on an engine, with topics of its own."""

    def __init__(self, bootstrap_servers, name, tmp_path):
        self.bootstrap_servers, self.name, self.prefix, self.folder = bootstrap_servers, name, f"{name}-", tmp_path
        ensure_topics(
            bootstrap_servers,
            [Topic(f"{self.prefix}{topic}", PARTITIONS) for topic in ("additions", "added", "refused")]
            + [Topic("dead-letters", 1)],
        )
        self.producer = producer(bootstrap_servers)

    def send(self, requests):
        for key, request in requests:
            self.producer.produce(f"{self.prefix}additions", PackSerde(Add).encode(request), key=key)
        assert self.producer.flush(30) == 0

    def start(self, instance="1", folder=None):
        return Running(self, instance, self.folder / (folder or instance))

    def added(self):
        return [
            (record.key().decode(), PackSerde(Added).decode(record.value()))
            for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}added"])
        ]

    def wait_for_added(self, count, timeout_s=60):
        reader = consumer(self.bootstrap_servers, "none")
        reader.assign([TopicPartition(f"{self.prefix}added", p, 0) for p in range(PARTITIONS)])
        deadline, seen = time.monotonic() + timeout_s, 0
        while seen < count:
            assert time.monotonic() < deadline, f"{seen} of {count} events after {timeout_s} s"
            seen += sum(record.error() is None for record in consume(reader, count - seen, 0.1))
        reader.close()


class Running:
    """One instance, in a thread."""

    def __init__(self, application, instance, folder):
        self.stop_event, self.running, self.failure = threading.Event(), threading.Event(), None
        settings = StreamsConfig(
            application.bootstrap_servers, folder, instance=instance, session_timeout_ms=SESSION_TIMEOUT_MS
        )

        def target():
            try:
                run(topology(application.name, application.prefix), settings, self.stop_event, self.running.set)
            except BaseException as failure:
                self.failure = failure

        self.thread = threading.Thread(target=target)
        self.thread.start()

    def __enter__(self):
        assert self.running.wait(60), self.failure
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stop_event.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.failure is None, self.failure


@pytest.fixture
def application(engine, unique, tmp_path):
    return Application(engine.bootstrap_servers, unique("sums"), tmp_path)


def requests(count, start=0, keys=20):
    return [(f"k{number % keys}", Add(str(number), 1)) for number in range(start, start + count)]


def check_exactly_once(application, count):
    added = application.added()
    assert Counter(event.id for _, event in added) == {str(number): 1 for number in range(count)}
    numbers = {}
    for key, event in added:
        assert event.number == numbers.get(key, 0) + 1
        numbers[key] = event.number


def test_every_request_has_one_event_in_order(application):
    application.send(requests(1000))
    with application.start():
        application.wait_for_added(1000)
    check_exactly_once(application, 1000)


def test_a_restarted_instance_goes_on_where_it_was(application):
    for batch in range(3):
        application.send(requests(200, start=batch * 200))
        with application.start():
            application.wait_for_added(200 * (batch + 1))
    check_exactly_once(application, 600)


def test_an_instance_with_an_empty_disk_rebuilds_its_state_from_the_events(application):
    application.send(requests(300))
    with application.start("1"):
        application.wait_for_added(300)
    application.send(requests(300))
    application.send(requests(100, start=300))
    with application.start("2"):
        application.wait_for_added(400)
    check_exactly_once(application, 400)


def test_instances_share_the_work_and_hand_it_over(application):
    application.send(requests(500))
    with application.start("1"):
        application.wait_for_added(500)
        with application.start("2"):
            application.send(requests(500, start=500))
            application.wait_for_added(1000)
        application.send(requests(500, start=1000))
        application.wait_for_added(1500)
    check_exactly_once(application, 1500)


def test_a_second_instance_of_the_same_name_fences_the_first(application):
    """Both go on trying; whoever wins, each request has one event."""
    application.send(requests(300))
    first = application.start("1")
    assert first.running.wait(60)
    application.wait_for_added(300)
    second = application.start("1", "other")
    application.send(requests(300, start=300))
    application.wait_for_added(600)
    first.stop()
    second.stop()
    check_exactly_once(application, 600)


def test_unreadable_records_become_dead_letters_in_the_same_transaction(application):
    application.send(requests(5))
    application.producer.produce(f"{application.prefix}additions", b"\xff", key="k1")
    application.producer.flush(10)
    application.send(requests(5, start=5))
    with application.start():
        application.wait_for_added(10)
    letters = [
        record
        for record in read_to_end(application.bootstrap_servers, ["dead-letters"])
        if dict(record.headers())["__connect.errors.connector.name"] == application.name.encode()
    ]
    assert [letter.value() for letter in letters] == [b"\xff"]


def test_topics_with_different_partition_counts_are_refused(engine, unique, tmp_path):
    name = unique("sums")
    topics = [Topic(f"{name}-additions", 2), Topic(f"{name}-added", 3), Topic(f"{name}-refused", 2)]
    ensure_topics(engine.bootstrap_servers, [*topics, Topic("dead-letters", 1)])
    with pytest.raises(TopologyError, match=r"additions has 2 partitions and .*added has 3"):
        run(topology(name, f"{name}-"), StreamsConfig(engine.bootstrap_servers, tmp_path), threading.Event())
