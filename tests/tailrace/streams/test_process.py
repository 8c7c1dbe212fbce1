"""Processors of one's own: with state that is undone and rebuilt like all state, and with calls as time goes on."""

import pytest

from tailrace.streams import OnError, ProcessingFailed, Stored, Topology, TopologyError
from tailrace.testing.topology_driver import ManualClock, TopologyDriver


def driven(make, stores=(), clock=None, **handling):
    topology = Topology("app", **handling)
    topology.stream("in", int).process(make, stores=stores, value=str).to("out")
    return TopologyDriver(topology, clock=clock or ManualClock())


class Dedup:
    """Passes on what is new, and says what it knows when it sees a zero."""

    def __init__(self, context):
        self._seen = context.store("seen")

    def process(self, key, value):
        if value == 0:
            yield key, str(dict(self._seen.range("2", "4")))
            self._seen.delete("3")
        elif self._seen.get(str(value)) is None:
            self._seen.put(str(value), value)
            yield key, f"new {value}"
        if value == 13:
            raise ValueError("no luck")


SEEN = [Stored("seen", int)]


def values(driver):
    return [value for _, value in driver.read("out")]


def test_a_processor_passes_on_what_it_gives_and_keeps_state():
    driver = driven(Dedup, SEEN)
    for number in (1, 3, 1, 2, 5, 0, 3):
        driver.pipe("in", "a", number)
    assert values(driver) == ["new 1", "new 3", "new 2", "new 5", "{'2': 2, '3': 3}", "new 3"]


@pytest.mark.parametrize("lose_state", [False, True])
def test_its_state_is_rebuilt(lose_state):
    driver = driven(Dedup, SEEN)
    driver.pipe("in", "a", 2)
    driver.write()
    driver.pipe("in", "a", 3)
    driver.restart(lose_state=lose_state)
    driver.pipe("in", "a", 2)
    driver.pipe("in", "a", 3)
    assert values(driver) == ["new 2", "new 3"]


def test_what_it_did_before_it_failed_is_undone():
    driver = driven(Dedup, SEEN, on_failure=OnError.SKIP)
    for number in (13, 1):
        driver.pipe("in", "a", number)
    assert values(driver) == ["new 1"]
    assert driver.store("seen").get(b"13") is None


def test_a_store_without_a_changelog_is_gone_with_its_disk():
    driver = driven(Dedup, [Stored("seen", int, changelog=False)])
    driver.pipe("in", "a", 2)
    assert driver.restart(lose_state=True) == 0
    driver.pipe("in", "a", 2)
    assert values(driver) == ["new 2", "new 2"]


class Steps:
    """Says what it is told, and the time at each multiple of 10."""

    def __init__(self, context, *, by_clock=False):
        self._context = context
        context.schedule(10, lambda now: [("time", f"at {now}")], by_clock=by_clock)

    def process(self, key, value):
        return [(key, f"{value} in {self._context.partition} of {self._context.record.offset()}")]


def test_punctuations_by_the_time_of_records_come_at_multiples_of_their_interval():
    driver = driven(Steps)
    for time in (3, 9, 10, 15, 12, 47, 50):
        driver.pipe("in", "a", time, timestamp=time)
    said = [value.split(" in ")[0] for value in values(driver)]
    assert said == ["3", "9", "10", "at 10", "15", "12", "47", "at 40", "50", "at 50"]
    times = [record.timestamp()[1] for record in driver.log["out"] if b"at" in record.value()]
    assert times == [10, 47, 50]


def test_a_crash_or_a_rollback_changes_nothing_about_punctuations():
    driver, undisturbed = driven(Steps), driven(Steps)
    for time in (3, 9, 11, 18, 23):
        undisturbed.pipe("in", "a", time, timestamp=time)
        driver.pipe("in", "a", time, timestamp=time, commit=False)
        driver.log["in"].pop()
        driver.rollback() if time % 2 else driver.restart(lose_state=True)
        driver.pipe("in", "a", time, timestamp=time)
    assert driver.read("out") == undisturbed.read("out")


def test_punctuations_by_the_clock_come_without_records():
    clock = ManualClock(1000)
    driver = driven(lambda context: Steps(context, by_clock=True), clock=clock)
    for step in (0, 5, 5, 3, 30):
        clock.advance(step)
        driver.advance_wall_clock()
    assert values(driver) == ["at 1010", "at 1040"]


def test_its_results_meet_by_their_new_keys():
    topology = Topology("app")
    stream = topology.stream("in", int).process(lambda context: Echo(), key=int, value=int)
    stream.group_by_key().count(store="n").to("out")
    driver = TopologyDriver(topology)
    for number in (1, 2, 1):
        driver.pipe("in", "a", number)
    assert driver.read("out") == [(1, 1), (2, 1), (1, 2)]
    assert "app-n-repartition" in driver.log


class Echo:
    def process(self, key, value):
        return [(value, value)] if value else None


def test_mistakes_are_said():
    with pytest.raises(TopologyError, match="the processor has no store seen; it has none"):
        driven(Dedup)
    with pytest.raises(TopologyError, match="cannot schedule something every 0s"):
        driven(lambda context: context.schedule("0s", print))
    with pytest.raises(TopologyError, match="'seen' is no store; expected Stored, StoredWindows or StoredSessions"):
        driven(Dedup, ["seen"])
    driver = driven(Dedup, SEEN)
    with pytest.raises(ProcessingFailed, match="no luck"):
        driver.pipe("in", "a", 13)


def test_the_stores_of_a_processor_can_be_filled_and_read():
    last = Stored("last", int)

    class Difference:
        def __init__(self, context):
            self._last = context.store(last)

        def process(self, key, value):
            before = self._last.get(key) or 0
            self._last.put(key, value)
            yield key, value - before

    topology = Topology("app")
    topology.stream("numbers", int).process(Difference, stores=[last], value=int).to("differences")
    driver = TopologyDriver(topology)
    driver.processor_store(last).put("a", 5)
    driver.commit()
    driver.restart(lose_state=True)
    driver.pipe("numbers", "a", 7)
    assert driver.read("differences") == [("a", 2)]
    assert driver.processor_store(last).get("a") == 7
    with pytest.raises(KeyError, match="no processor with a store other"):
        driver.processor_store(Stored("other", int))
