"""Joins of two streams: who meets whom, when those are passed on that met nobody, and that a crash changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams import JoinWindow, Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.testing.topology_driver import TopologyDriver

KINDS = ["join", "left_join", "outer_join"]


def pair(key, one, other):
    return f"{key}:{one}+{other}"


def joined(kind, window, right_key=None):
    topology = Topology("app")
    right = topology.stream("right", str)
    right = right.select_key(right_key) if right_key else right
    getattr(topology.stream("left", str), kind)(right, pair, within=window).to("out", str)
    return TopologyDriver(topology)


def results(driver):
    return [value for _, value in driver.read("out")]


def feed(driver, *records):
    for topic, value, time in records:
        driver.pipe(topic, "a", value, timestamp=time)


@pytest.mark.parametrize("kind", KINDS)
def test_records_meet_within_the_window_on_both_sides(kind):
    driver = joined(kind, JoinWindow(before=10, after=5))
    feed(driver, ("right", "r0", 100), ("left", "l0", 95), ("left", "l1", 110), ("right", "r1", 115))
    assert results(driver)[:3] == ["a:l0+r0", "a:l1+r0", "a:l1+r1"]


def test_records_do_not_meet_beyond_the_window():
    driver = joined("join", JoinWindow(before=10, after=5, grace=100))
    feed(
        driver, ("right", "r0", 100), ("left", "l0", 94), ("left", "l1", 111), ("right", "r1", 117), ("left", "l2", 111)
    )
    assert results(driver) == []


def test_several_records_meet_each_other():
    driver = joined("join", 10)
    feed(driver, ("left", "l0", 1), ("left", "l1", 1), ("right", "r0", 2), ("right", "r1", 3), ("left", "l2", 3))
    assert results(driver) == ["a:l0+r0", "a:l1+r0", "a:l0+r1", "a:l1+r1", "a:l2+r0", "a:l2+r1"]


def test_records_of_different_keys_do_not_meet():
    driver = joined("join", 10)
    driver.pipe("left", "a", "l", timestamp=1)
    driver.pipe("right", "ab", "r", timestamp=1)
    assert results(driver) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("join", []), ("left_join", ["a:l0+None"]), ("outer_join", ["a:l0+None", "a:None+r0"])],
)
def test_what_met_nobody_is_passed_on_when_its_window_has_closed(kind, expected):
    driver = joined(kind, JoinWindow(before=10, after=5, grace=3))
    feed(driver, ("left", "l0", 100), ("right", "r0", 108))
    assert results(driver) == []
    feed(driver, ("left", "l1", 109))
    # The first can be met until 108, the second, at 108, was met by the third.
    assert results(driver) == [*expected[:1], "a:l1+r0"]
    feed(driver, ("right", "r1", 200), ("left", "l2", 300))
    assert results(driver) == (["a:None+r1"] if kind == "outer_join" else [])


def test_a_late_record_is_dropped_and_one_within_the_grace_is_not():
    driver = joined("join", JoinWindow(before=10, after=5, grace=3))
    feed(driver, ("left", "l0", 100), ("left", "l1", 108), ("right", "r0", 104))
    assert results(driver) == ["a:l0+r0", "a:l1+r0"]
    feed(driver, ("left", "l2", 109), ("right", "r1", 105))
    assert results(driver) == ["a:l2+r0", "a:l1+r1", "a:l2+r1"]
    feed(driver, ("left", "l3", 200), ("right", "r2", 110))
    assert results(driver) == []


def test_results_have_the_later_of_both_times():
    driver = joined("left_join", 10)
    feed(driver, ("left", "l0", 5), ("right", "r0", 3), ("left", "l1", 50), ("left", "l2", 100))
    assert [record.timestamp()[1] for record in driver.read_raw("out")] == [5, 50]


def test_a_stream_may_be_joined_with_itself():
    topology = Topology("app")
    stream = topology.stream("in", str)
    stream.join(stream, pair, within=10).to("out", str)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", "1", timestamp=1)
    driver.pipe("in", "a", "2", timestamp=2)
    assert results(driver) == ["a:1+1", "a:2+1", "a:1+2", "a:2+2"]


def test_a_side_whose_keys_have_changed_is_repartitioned():
    driver = joined("join", 10, right_key=lambda value: value[0])
    driver.pipe("right", "x", "abc", timestamp=1)
    feed(driver, ("left", "l0", 1))
    assert results(driver) == ["a:l0+abc"]
    assert "app-join-1-right-repartition" in driver.log


def test_state_of_records_that_cannot_be_met_any_more_is_let_go():
    driver = joined("outer_join", 10)
    for time in range(0, 1000, 7):
        feed(driver, ("left" if time % 2 else "right", str(time), time))
    for store in ("left", "right", "left-lonely", "right-lonely"):
        assert len(list(driver.store(f"outer-join-1-{store}").range(b"", None))) <= 5


@pytest.mark.parametrize("window", [None, -1, JoinWindow])
def test_a_join_of_streams_needs_a_window(window):
    topology = Topology("app")
    left, right = topology.stream("left", str), topology.stream("right", str)
    with pytest.raises(TopologyError, match=r"`within` is for joins of two streams|expected durations"):
        left.join(right, pair, within=window if window is not JoinWindow else JoinWindow(0, -1))


def test_joined_streams_have_as_many_partitions():
    topology = Topology("app")
    topology.stream("left", str).join(topology.stream("right", str), pair, within=1).to("out", str)
    with pytest.raises(TopologyError, match="left has 2 partitions and right has 3"):
        Plan(topology).partitions({"left": 2, "right": 3, "out": 1})


def expected_results(records, kind, window):
    """By a model that compares all with all, given the order in which the records are processed."""
    time, accepted, met, results = -1, [], set(), []
    open_ms = {"left": window.after + window.grace + 1, "right": window.before + window.grace + 1}
    for number, (topic, key, moment) in enumerate(records):
        time = max(time, moment)
        if moment + open_ms[topic] <= time:
            continue
        for other, other_topic, other_key, other_moment in accepted:
            left, right = (moment, other_moment) if topic == "left" else (other_moment, moment)
            is_near = left - window.before <= right <= left + window.after
            if other_topic != topic and other_key == key and is_near and other_moment + open_ms[other_topic] > time:
                one, two = (number, other) if topic == "left" else (other, number)
                results.append(pair(key, one, two))
                met |= {number, other}
        accepted.append((number, topic, key, moment))
    lonely = {"join": [], "left_join": ["left"], "outer_join": ["left", "right"]}[kind]
    for number, topic, key, _ in accepted:
        if topic in lonely and number not in met:
            results.append(pair(key, number, None) if topic == "left" else pair(key, None, number))
    return results


records = st.lists(
    st.tuples(st.sampled_from(["left", "right"]), st.sampled_from("ab"), st.integers(0, 40), st.sampled_from("ccwrxl")),
    max_size=30,
)


@given(records, st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9), st.integers(0, 5))
def test_streams_join_as_a_model_does_whatever_happens_to_the_task(records, kind, before, after, grace):
    """(c)ommit, (w)rite, (r)ollback and retry, crash (x), or crash and loss of the disk (l) follow a record."""
    driver = joined(kind, JoinWindow(before, after, grace))
    for number, (topic, key, time, then) in enumerate(records):
        if then in "rxl":
            driver.pipe(topic, key, str(number), timestamp=time, commit=False)
            driver.log[topic].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        driver.pipe(topic, key, str(number), timestamp=time)
        if then == "w":
            driver.write()
    driver.pipe("left", "end", "end", timestamp=10_000)
    found = [value for value in results(driver) if not value.startswith("end")]
    expected = expected_results([record[:3] for record in records], kind, JoinWindow(before, after, grace))
    assert sorted(found) == sorted(expected)
