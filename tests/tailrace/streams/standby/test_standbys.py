"""The standbys of a worker: none of what is read is lost, whatever comes together with it."""

import pytest
from confluent_kafka import KafkaError, Message

from tailrace.client import producer
from tailrace.streams import StreamsConfig, Topology
from tailrace.streams.instances.claims import Claim
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.outbox import Outbox
from tailrace.streams.plan import Plan
from tailrace.streams.standby import standbys as module
from tailrace.streams.standby.placement import standbys_of
from tailrace.streams.standby.standbys import Standbys
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.task import Task

ADDRESS = "127.0.0.1:1"  # where nobody answers
CHANGELOG = "app-counts-changelog"
TASK = ("lines", 0)
COUNT = bytes(7) + b"\1"


class Here:
    """The standbys of an instance that is to keep all tasks, which another one has; `read` is what comes next."""

    def __init__(self, monkeypatch):
        topology = Topology("app")
        topology.stream("lines", str).group_by_key().count(store="counts")
        plan = Plan(topology)
        config = StreamsConfig(ADDRESS, None, instance="2", standby_replicas=1)
        self.meeting = Meeting("app", config)
        self.meeting._producer = producer(ADDRESS)
        self.meeting.is_known = True
        self.claims, self.opened, self.read = 0, [], []
        self.claim("1", TASK)
        self.claim("2")
        self.standbys = Standbys(plan, config, {"lines": 1}, self.meeting, self._open, Outbox())
        self._plan = plan
        monkeypatch.setattr(module, "LOOK_INTERVAL_S", -1)
        monkeypatch.setattr(module, "consume", lambda *_: self.read)

    def claim(self, name, *tasks):
        self.claims += 1
        self.meeting.claims.note(name, Claim(active=tasks, is_standby=True), self.claims, 1 << 60)

    def _open(self, id_):
        self.opened.append(id_)
        return Task(self._plan.of_topic[id_[0]], id_[1], MemoryBackend(), [], {})

    def keep_up(self, *read, active=()):
        self.read = list(read)
        return self.standbys.keep_up(active)


@pytest.fixture
def here(monkeypatch):
    made = Here(monkeypatch)
    yield made
    made.standbys.close()


def change(offset, key=b"a"):
    return Message(topic=CHANGELOG, partition=0, offset=offset, key=key, value=COUNT)


def end(offset):
    return Message(topic=CHANGELOG, partition=0, offset=offset, error=KafkaError(KafkaError._PARTITION_EOF))


def keys(task):
    return [key for key, _ in task.store("counts").committed_range(b"", None)]


def test_an_end_that_comes_with_records_takes_nothing_away_from_them(here):
    here.keep_up()
    here.keep_up(change(0, b"a"), change(1, b"b"), end(3))
    here.keep_up(change(3, b"c"), end(4), change(4, b"d"), end(6))
    assert keys(here.standbys.take(TASK)) == [b"a", b"b", b"c", b"d"]


def test_what_was_taken_over_is_kept_no_longer(here):
    here.keep_up()
    here.keep_up(change(0, b"a"))
    task = here.standbys.take(TASK)
    assert here.standbys.take(TASK) is None
    here.keep_up(change(1, b"b"), active=[TASK])
    assert keys(task) == [b"a"]
    assert here.opened == [TASK]


def test_what_is_placed_elsewhere_is_let_go_of_and_comes_back(here):
    here.keep_up()
    # On its way, it stays.
    here.claim("1")
    here.keep_up()
    assert here.standbys._standbys.keys() == {TASK}
    # Two more instances, of which one is the better place.
    places = [str(number) for number in range(3, 20)]
    place = next(name for name in places if standbys_of(TASK, "1", ["2", name], 1) == [name])
    here.claim("1", TASK)
    here.claim(place)
    here.keep_up()
    assert here.standbys.take(TASK) is None
    here.meeting.claims.note(place, None, 100, 0)
    here.keep_up()
    assert here.standbys.take(TASK) is not None
    assert here.opened == [TASK, TASK]


def test_nothing_is_kept_as_long_as_it_is_not_known_who_has_what(here):
    here.meeting.is_known = False
    here.keep_up()
    assert here.opened == []


def test_there_is_more_to_do_as_long_as_slices_are_full(here, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 2)
    here.keep_up()
    assert here.keep_up(change(0), change(1))
    assert not here.keep_up(change(2))
