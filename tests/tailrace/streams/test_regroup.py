"""Tables grouped by something else, and aggregates that several streams add to."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.registry.errors import SerdeError
from tailrace.streams import Emit, Sessions, Topology, TopologyError, Tumbling
from tailrace.streams.operators.regroup import Change, ChangeSerde
from tailrace.streams.types import STRING
from tailrace.testing.topology_driver import TopologyDriver


def by_city(build):
    """A table of people and the cities that they live in, grouped by city."""
    topology = Topology("app")
    build(topology.table("people", str).group_by(lambda city: city))
    return TopologyDriver(topology)


MOVES = [("ann", "rome"), ("bob", "rome"), ("ann", "oslo"), ("bob", "rome"), ("bob", None)]


def test_a_value_that_changes_its_group_leaves_the_one_it_was_in():
    driver = by_city(lambda g: g.count().to("out"))
    for move in MOVES:
        driver.pipe("people", *move)
    assert driver.read("out") == [("rome", 1), ("rome", 2), ("rome", 1), ("oslo", 1), ("rome", 1), ("rome", 0)]


def test_an_aggregate_of_a_table_can_subtract():
    driver = by_city(
        lambda g: g.aggregate("", lambda key, all_, v: all_ + v[0] + key[-1], lambda all_, v: all_[2:]).to("out", str)
    )
    for move in MOVES:
        driver.pipe("people", *move)
    assert driver.read("out")[-2:] == [("rome", "re"), ("rome", "")]


def test_a_reduction_of_a_table_can_subtract():
    topology = Topology("app")
    balances = topology.table("balances", int).group_by(lambda key, balance: key[0])
    balances.reduce(lambda a, b: a + b, lambda a, b: a - b, store="totals").to("out")
    driver = TopologyDriver(topology)
    for key, balance in [("a1", 5), ("a2", 7), ("a1", 1), ("a2", None)]:
        driver.pipe("balances", key, balance)
    assert driver.read("out") == [("a", 5), ("a", 12), ("a", 8), ("a", 1)]
    assert "app-totals-repartition" in driver.log


def test_an_aggregate_of_a_table_needs_a_way_back():
    with pytest.raises(TopologyError, match=r"values of a table change, which needs subtract\(aggregate, value\)"):
        by_city(lambda g: g.aggregate(0, lambda n, v: n + 1))


moves = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.sampled_from(["x", "y"])), st.sampled_from("ccwrxl"))
)


@given(moves)
def test_counts_of_groups_are_those_of_the_table_whatever_happens_to_the_tasks(moves):
    driver, table, counts = by_city(lambda g: g.count(store="n").to("out")), {}, {}
    for key, city, then in moves:
        if then in "rxl":
            driver.pipe("people", key, city, commit=False)
            driver.log["people"].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        driver.pipe("people", key, city)
        if then == "w":
            driver.write()
        table[key] = city
        counts |= dict(driver.read("out"))
        assert {c: n for c, n in counts.items() if n} == Counter(c for c in table.values() if c)


@given(st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
def test_changes_are_written_and_read(old, new):
    serde = ChangeSerde(STRING)
    assert serde.decode(serde.encode(Change(old, new))) == Change(old, new)


@given(st.binary(max_size=12))
def test_what_is_no_change_is_a_serde_error(data):
    try:
        ChangeSerde(STRING).decode(data)
    except SerdeError:
        return


def cogrouped(windows=None, emit=Emit.UPDATE):
    topology = Topology("app")
    words, numbers = topology.stream("words", str).group_by_key(), topology.stream("numbers", int).group_by_key()
    both = words.cogroup(lambda text, word: text + word).cogroup(numbers, lambda key, text, n: f"{text}{key}{n}")
    if windows:
        both = both.windowed_by(windows, emit=emit)
    both.aggregate("", store="both", merge=lambda one, other: one + other).to("out")
    return TopologyDriver(topology)


def test_several_streams_add_to_one_aggregate_each_in_its_way():
    driver = cogrouped()
    for topic, value in [("words", "x"), ("numbers", 1), ("words", "y")]:
        driver.pipe(topic, "a", value)
    assert driver.read("out") == [("a", "x"), ("a", "xa1"), ("a", "xa1y")]
    driver.restart(lose_state=True)
    driver.pipe("numbers", "a", 2)
    assert driver.read("out") == [("a", "xa1ya2")]


@pytest.mark.parametrize("windows", [Tumbling(10), Sessions(5)])
def test_windows_of_several_streams_close_once_by_the_time_of_either(windows):
    driver = cogrouped(windows, Emit.CLOSE)
    for topic, value, time in [("words", "x", 1), ("numbers", 1, 2), ("words", "y", 3)]:
        driver.pipe(topic, "a", value, timestamp=time)
    driver.pipe("numbers", "b", 0, timestamp=30)
    assert [(window.key, value) for window, value in driver.read("out")] == [("a", "xa1y")]


def test_a_cogrouped_table_can_be_joined():
    topology = Topology("app")
    counted = topology.stream("words", str).group_by_key().cogroup(lambda n, _: n + 1)
    counts = counted.cogroup(topology.stream("others", str).group_by_key(), lambda n, _: n + 10).aggregate(0)
    counts.join(topology.table("names", str), lambda n, name: f"{name}{n}").to("out", str)
    driver = TopologyDriver(topology)
    for topic in ("words", "names", "others"):
        driver.pipe(topic, "a", "x")
    assert driver.read("out") == [("a", "x1"), ("a", "x11")]
