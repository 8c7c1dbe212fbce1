"""A standby that takes over gives what the task would have given that it stands for, whatever it was told and when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.registry.errors import SerdeError
from tailrace.streams import Topology
from tailrace.streams.plan import Plan
from tailrace.streams.standby.standby import Standby
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.task import Task
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.sums import Add, Added, PackSerde, Refused, Sum, decide


def everything():
    """One task with state of all kinds: counts, a joined table, and a decision that looks up another table."""
    topology = Topology("app")
    requests = topology.stream("requests", PackSerde(Add))
    limits = topology.table("limits", int)
    names = topology.table("names", str)
    requests.group_by_key().count(store="counts").to("counts")
    requests.join(names, lambda request, name: f"{request.id}:{name}").to("named", str)
    routes = {Added: ("added", PackSerde(Added)), Refused: ("refused", PackSerde(Refused))}

    def limited(key, state, request, record, limits):
        limit = limits.get(key)
        if limit is not None and request.amount > limit.value:
            return (Refused(request.id, request.amount, "limit"),)
        return decide(key, state, request, record)

    def evolve(state, event):
        # Unlike the totals of the events, this shows when one is folded twice.
        return Sum(state.total + event.amount, state.number + 1) if isinstance(event, Added) else state

    requests.decide("sums", limited, evolve, initial=Sum(), tables=[limits]).route(routes)
    return topology


INPUTS = ("requests", "names", "limits")
OUTPUTS = ("counts", "named", "added", "refused")
STEPS = st.one_of(
    st.tuples(st.just("requests"), st.sampled_from("ab"), st.integers(-3, 3)),
    st.tuples(st.just("names"), st.sampled_from("ab"), st.none() | st.sampled_from("xyz")),
    st.tuples(st.just("limits"), st.sampled_from("ab"), st.none() | st.integers(0, 3)),
    # Let the standby read some records of a topic; tell it what is committed; have it written; start it anew.
    st.tuples(st.just("read"), st.integers(0, 10), st.integers(1, 4)),
    st.sampled_from([("commit",), ("write",), ("anew",)]),
)


class Pair:
    """A task, and a standby of it that knows of it what it reads in topics."""

    def __init__(self):
        self.driver, self._plan = TopologyDriver(everything()), Plan(everything())
        self._backend = MemoryBackend()
        self.standby = self._open()
        self._committed = {}

    def _open(self):
        (sub,) = self._plan.subtopologies
        task = Task(sub, 0, self._backend, [], {})
        return Standby(task)

    def do(self, step):
        match step:
            case ("read", which, count):
                topic = sorted(self.standby.positions)[which % len(self.standby.positions)]
                # It may be read from before: the positions of another reader of the topic count too.
                start = max(self.standby.positions[topic] - which % 3, 0)
                if records := self.driver.log.get(topic, [])[start : start + count]:
                    self.standby.add(topic, records)
                    self.standby.commit(self._committed)
            case ("commit",):
                (task,) = self.driver._tasks.values()
                self._committed = dict(task.committed_positions)
                self.standby.commit(self._committed)
            case ("write",):
                self.standby.task.write()
            case ("anew",):
                self.standby = self._open()
            case (topic, key, value):
                pipe(self.driver, topic, key, value)

    def leave_open(self, steps):
        """Have steps in the topics, of which nothing was committed, and the standby read all that there is."""
        for topic, key, value in steps:
            pipe(self.driver, topic, key, value, commit=False)
        if steps:
            for topic in self.standby.positions:
                self.standby.add(topic, self.driver.log.get(topic, []))
            self.standby.commit(self._committed)
        self.driver.rollback()

    def go_on(self, count):
        """Process again what was open."""
        for topic in ("requests", "names")[:count]:
            self.driver._process(topic, self.driver.log[topic][-1])
        self.driver.commit()

    def fail_over(self):
        """Have the standby's state take the place of the task's."""
        self.standby.task.write()
        (name,) = self.driver._backends
        self.driver._backends[name] = self._backend
        self.driver.restart()


def pipe(driver, topic, key, value, **how):
    driver.pipe(topic, key, Add("id", value) if topic == "requests" else value, timestamp=1, **how)


def outputs(driver):
    return {topic: [(r.key(), r.value()) for r in driver.log.get(topic, [])] for topic in OUTPUTS}


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40), st.lists(STEPS, max_size=10), st.booleans())
def test_what_it_takes_over_goes_on_as_if_nothing_had_happened(before, after, is_in_the_middle):
    pair, undisturbed = Pair(), TopologyDriver(everything())
    for step in before:
        pair.do(step)
    # These are in the topics and in no commit, so they are processed again.
    open_steps = [("requests", "a", 1), ("names", "a", "open")] if is_in_the_middle else []
    pair.leave_open(open_steps)
    pair.fail_over()
    pair.go_on(len(open_steps))
    for step in after:
        if step[0] in INPUTS:
            pair.do(step)
    for topic, key, value in (step for step in (*before, *open_steps, *after) if step[0] in INPUTS):
        pipe(undisturbed, topic, key, value)
    assert pair.driver.contents() == undisturbed.contents()
    assert outputs(pair.driver) == outputs(undisturbed)


def test_it_knows_how_far_it_is_behind():
    pair = Pair()
    ends = {"app-counts-changelog": 3, "added": 1, "refused": 0, "limits": 0}
    assert pair.standby.behind({}, {}) is None
    assert pair.standby.behind(ends, {}) is None
    assert pair.standby.behind(ends, {"names": 2}) == 6
    for _ in range(2):
        pair.do(("names", "a", "x"))
    pair.standby.add("names", pair.driver.log["names"])
    assert pair.standby.waiting("names") == 2
    # It was read, and waits for the group.
    assert pair.standby.behind(ends, {"names": 2}) == 6
    pair.standby.commit({"names": 1})
    assert (pair.standby.behind(ends, {"names": 2}), pair.standby.waiting("names")) == (5, 1)
    pair.standby.commit({"names": 2})
    assert (pair.standby.behind(ends, {"names": 2}), pair.standby.is_waiting) == (4, False)
    # Markers at the end of a topic are no records.
    pair.standby.reach("app-counts-changelog", 3)
    pair.standby.reach("added", 1)
    assert pair.standby.behind(ends, {"names": 2}) == 0
    # They are not where it reads on.
    assert pair.standby.positions["added"] == 0


def test_what_cannot_be_read_is_told():
    pair = Pair()
    pair.driver.pipe("requests", "a", Add("1", 1))
    pair.driver.log["added"][0].set_value(b"\xff")
    with pytest.raises(SerdeError):
        pair.standby.add("added", pair.driver.log["added"])
    assert pair.standby.task.folded["added"] == 0
