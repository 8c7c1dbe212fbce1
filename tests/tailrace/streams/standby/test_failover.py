"""Standbys on real brokers: what is read again when an instance fails, and that nothing else is different."""

import time

import pytest
import structlog

from tailrace.client import Topic, ensure_topics, producer
from tailrace.streams import Queries, StreamsConfig
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.task import Task
from tests.tailrace.streams.application import Application
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.chaos.system import wait_for_records
from tests.tailrace.streams.test_queries import counting
from tests.tailrace.streams.test_runtime import check_exactly_once, requests

KEYS = 20_000
PARTITIONS = 4


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def watched(engine, unique):
    """A name of an application, and what its instances say, which the test listens to as one of them."""

    def watch(name):
        meetings.append(Meeting(name, StreamsConfig(engine.bootstrap_servers, None, instance="watcher")))
        meetings[-1].__enter__()
        return meetings[-1].claims

    meetings = []
    yield watch
    for meeting in meetings:
        meeting.__exit__()


def active(known):
    """The tasks that each instance works on."""
    return {name: member.claim.active for name, member in known.members.items() if name != "watcher"}


def are_caught_up(known, count, since):
    """Whether so many standbys are behind by nothing, as was said some time later than `since`."""
    members = [member for name, member in known.members.items() if name != "watcher"]
    behind = [behind for member in members for _, behind in member.claim.standby]
    return behind == [0] * count and all(member.heard_at_s > since + 1 for member in members)


@pytest.mark.parametrize("replicas", [1, 0])
def test_with_a_standby_little_is_restored_when_an_instance_is_killed(engine, unique, watched, tmp_path, replicas):
    application, address = unique("counts"), engine.bootstrap_servers
    ensure_topics(address, [Topic(f"{application}-{topic}", PARTITIONS) for topic in ("lines", "counts")])
    known = watched(application)

    def are_shared():
        instances.check()
        return sorted(map(len, active(known).values())) == [2, 2]

    def are_kept():
        instances.check()
        return are_caught_up(known, replicas * PARTITIONS, processed_at)

    with Instances(address, application, tmp_path, listen=":0", standby_replicas=replicas) as instances:
        instances.start("1")
        instances.start("2")
        wait_until(are_shared)
        send(address, application, range(KEYS))
        wait_for_records(address, {f"{application}-counts": PARTITIONS}, KEYS, instances.check)
        processed_at = time.monotonic()
        wait_until(are_kept)
        instances.kill("1")
        wait_until(lambda: len(active(known)["2"]) == PARTITIONS)
        restored = instances.restored("2")
        send(address, application, range(KEYS))
        wait_for_records(address, {f"{application}-counts": PARTITIONS}, 2 * KEYS, instances.check)
    print(f"{restored:,} of {KEYS:,} records restored with {replicas} standby replicas")  # noqa: T201
    if replicas:
        assert restored <= KEYS // 100
    else:
        assert restored > KEYS // 3


def send(address, application, keys):
    sender = producer(address)
    for key in keys:
        sender.produce(f"{application}-lines", b"line", key=b"%d" % key)
    assert sender.flush(60) == 0


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
def test_decisions_go_on_with_the_state_of_a_standby(engine, unique, watched, tmp_path, group_protocol):
    """Their state is the fold of their events."""
    application = Application(engine.bootstrap_servers, unique("sums"), tmp_path)
    known = watched(application.name)
    config = {"group_protocol": group_protocol, "standby_replicas": 1}
    application.send(requests(300))
    with application.start("1", **config):
        with application.start("2", **config):
            wait_until(lambda: sorted(map(len, active(known).values())) == [1, 2])
            application.send(requests(300, start=300))
            application.wait_for_added(600)
            processed_at = time.monotonic()
            wait_until(lambda: are_caught_up(known, 3, processed_at))
        with structlog.testing.capture_logs() as logs:
            application.send(requests(300, start=600))
            application.wait_for_added(900)
    check_exactly_once(application, 900)
    assert [line["records"] for line in logs if line["event"] == "restored"] == []


def test_a_standby_that_cannot_be_kept_stops_nothing(broker, unique, tmp_path, monkeypatch):
    application = Application(broker.bootstrap_servers, unique("counted"), tmp_path, counting)
    queries = [Queries(), Queries()]
    restore = Task.restore

    def failing(task, topic, records):
        if any(record.key() == b"k1" for record in records):
            raise ValueError("this is not to be restored")
        restore(task, topic, records)

    with (
        structlog.testing.capture_logs() as logs,
        application.start("1", queries=queries[0], standby_replicas=1),
        application.start("2", queries=queries[1], standby_replicas=1),
    ):
        tables = [each.of(application.topology.counts) for each in queries]
        wait_until(lambda: all(each.tasks() for each in queries))
        monkeypatch.setattr(Task, "restore", failing)
        for number in range(10):
            application.producer.produce(f"{application.prefix}lines", b"", key=f"k{number}")
        application.producer.flush(60)
        wait_until(lambda: any(line["event"] == "no standby is kept" for line in logs))
        wait_until(lambda: sum(len(list(table.all())) for table in tables) == 10)
        monkeypatch.undo()
    assert {line["reason"] for line in logs if line["event"] == "no standby is kept"} == {
        "ValueError('this is not to be restored')"
    }
