"""The runtime on real brokers: exactly once, whatever is stopped, replaced or frozen."""

import threading
import time
from collections import Counter

import pytest
from confluent_kafka import ConsumerGroupType, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.client import Fetching, Topic, ensure_topics, read_to_end
from tailrace.streams import StreamsConfig, TopologyError, run
from tailrace.streams.opening import Opener
from tailrace.streams.state.rocks_backend import RocksBackend
from tailrace.streams.worker import Worker
from tests.tailrace.streams.application import Application
from tests.tailrace.streams.sums import Add, topology


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


@pytest.mark.parametrize(
    ("config", "least", "most"),
    [
        ({}, 1, 3),
        ({"commit_interval_ms": 0}, 30, 32),
        ({"max_records_per_commit": 100}, 3, 5),
    ],
)
def test_commits_when_drained_or_when_it_is_time_or_when_there_is_enough(application, config, least, most):
    application.send(requests(300, keys=1))
    with application.start(max_batch=10, **({"commit_interval_ms": 600_000} | config)):
        application.wait_for_added(300)
    check_exactly_once(application, 300)
    # The batches of ten are full, so that the input is drained once, at the end, or twice more while it is fetched.
    assert least <= application.transactions() <= most


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


def test_state_in_memory_is_rebuilt_from_the_events(application, tmp_path):
    for batch in range(2):
        application.send(requests(300, start=batch * 300))
        with application.start("1", has_folder=False):
            application.wait_for_added(300 * (batch + 1))
    check_exactly_once(application, 600)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", ["sums", "sums-settled"])
def test_state_that_is_in_memory_beside_a_folder_is_rebuilt_and_may_move(application, tmp_path, store):
    for batch, in_memory in enumerate(([], [store], [store], [])):
        application.send(requests(300, start=batch * 200))  # a third of them were there before
        with application.start("1", in_memory=in_memory):
            application.wait_for_added(300 + batch * 200)
        assert stores_on_disk(tmp_path / "1") == (set() if in_memory else {"sums", "sums-settled"})
    check_exactly_once(application, 900)


def stores_on_disk(folder):
    """The stores of which the tasks of an instance have anything on disk."""
    found = set()
    for task in folder.glob("*-additions-*"):
        backend = RocksBackend(task)
        found |= {key.partition(b"\0")[0].decode() for key in backend.keys(b"a", b"z")}
        backend.close()
    return found


@pytest.mark.parametrize("names", [["sum"], "sums"])
def test_stores_that_there_are_not_cannot_be_in_memory(application, names):
    with pytest.raises(TopologyError, match=r"has no store '.*' to keep in memory; there are: sums, sums-settled"):
        run(
            application.topology, StreamsConfig(application.bootstrap_servers, None, in_memory=names), threading.Event()
        )


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


def test_with_kip_848_only_what_moves_stops(application, monkeypatch):
    opened, open_task = [], Opener.open

    def opening(self, id_):
        opened.append(id_[1])
        return open_task(self, id_)

    monkeypatch.setattr(Opener, "open", opening)
    application.send(requests(300))
    with application.start("1", group_protocol="consumer"):
        application.wait_for_added(300)
        assert opened == [0, 1, 2]
        with application.start("2", group_protocol="consumer"):
            application.send(requests(300, start=300))
            application.wait_for_added(600)
            wait_until(lambda: len(opened) > 3)
            (group,) = groups(application)
            assert group.type is ConsumerGroupType.CONSUMER
        application.send(requests(300, start=600))
        application.wait_for_added(900)
    check_exactly_once(application, 900)
    # One or two of the three have moved, and back when the second instance stopped; what did not was never stopped.
    assert min(Counter(opened).values()) == 1


def test_no_transaction_stays_open_while_state_is_restored(application, monkeypatch):
    """Nothing commits meanwhile, and the cluster aborts what is open for too long."""
    is_open, assign, open_task = [], Worker._assigned, Opener.open

    def assigned(self, partitions):
        if self._assignment.tasks:
            self._transaction.cover(0)
        monkeypatch.setattr(Opener, "open", lambda opener, id_: opening(self, opener, id_))
        assign(self, partitions)

    def opening(worker, opener, id_):
        is_open.append(worker._transaction.is_open)
        return open_task(opener, id_)

    monkeypatch.setattr(Worker, "_assigned", assigned)
    application.send(requests(300))
    with application.start("1", group_protocol="consumer"):
        with application.start("2", group_protocol="consumer"):
            application.wait_for_added(300)
        application.send(requests(300, start=300))
        application.wait_for_added(600)
        wait_until(lambda: len(is_open) > 3)
    assert not any(is_open)
    check_exactly_once(application, 600)


def groups(application):
    """What the cluster knows of the application's group."""
    admin = AdminClient({"bootstrap.servers": application.bootstrap_servers})
    listed = admin.list_consumer_groups().result().valid
    return [group for group in listed if group.group_id == application.name]


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_cluster_that_goes_away_while_tasks_are_opened_is_waited_for(application, monkeypatch):
    open_task, errors = Opener.open, [KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError._TRANSPORT]

    def opening(self, id_):
        if errors:
            raise KafkaException(KafkaError(errors.pop()))
        return open_task(self, id_)

    monkeypatch.setattr(Opener, "open", opening)
    application.send(requests(10))
    with application.start("1"):
        application.wait_for_added(10)
    assert not errors
    check_exactly_once(application, 10)


def test_a_consumer_that_asks_for_nothing_any_more_is_replaced(application, monkeypatch):
    stalled = [["additions-0"]]
    monkeypatch.setattr(Fetching, "stalled", lambda self, seconds: stalled.pop() if stalled else [])
    application.send(requests(10))
    with application.start("1"):
        application.wait_for_added(10)
    assert not stalled
    check_exactly_once(application, 10)


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
    application.producer.flush(60)
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
