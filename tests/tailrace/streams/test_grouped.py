"""Aggregates of all values of a key: what they are, and that they survive whatever happens to their task."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from tailrace.registry.serde import JsonSerde
from tailrace.streams import OnError, ProcessingFailed, Topology, TopologyError
from tailrace.testing.topology_driver import TopologyDriver


class Mean(Struct, frozen=True):
    total: int = 0
    count: int = 0


class Average:
    """An aggregate of one's own, with another result than what is kept."""

    def initial(self):
        return Mean()

    def add(self, mean, value):
        return Mean(mean.total + value, mean.count + 1)

    def result(self, mean):
        return mean.total / mean.count


def grouped(build, **handling):
    topology = Topology("app", **handling)
    build(topology.stream("in", int, nullable=True).group_by_key())
    return TopologyDriver(topology)


NUMBERS = [("a", 1), ("b", 5), ("a", 2), ("a", 6)]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda g: g.count().to("out"), [("a", 1), ("b", 1), ("a", 2), ("a", 3)]),
        (lambda g: g.reduce(max).to("out"), [("a", 1), ("b", 5), ("a", 2), ("a", 6)]),
        (lambda g: g.reduce(lambda so_far, v: so_far * 10 + v).to("out"), [("a", 1), ("b", 5), ("a", 12), ("a", 126)]),
        (lambda g: g.aggregate(0, lambda total, v: total + v).to("out", int), [("a", 1), ("b", 5), ("a", 3), ("a", 9)]),
        (
            lambda g: g.aggregate("", lambda key, text, v: f"{text}{key}{v}").to("out", str),
            [("a", "a1"), ("b", "b5"), ("a", "a1a2"), ("a", "a1a2a6")],
        ),
        (lambda g: g.aggregate(Average()).to("out", float), [("a", 1.0), ("b", 5.0), ("a", 1.5), ("a", 3.0)]),
    ],
    ids=["count", "reduce by a builtin", "reduce", "aggregate", "aggregate with key", "aggregate of a class"],
)
def test_every_value_gives_the_aggregate_so_far(build, expected):
    driver = grouped(build)
    for record in NUMBERS:
        driver.pipe("in", *record)
    driver.pipe("in", "a", None)
    assert driver.read("out") == expected


@pytest.mark.parametrize("lose_state", [False, True])
def test_aggregates_are_rebuilt_from_their_changelog(lose_state):
    driver = grouped(lambda g: g.aggregate(Average(), store="mean").to("out", float))
    for record in NUMBERS:
        driver.pipe("in", *record)
    driver.write()
    driver.pipe("in", "a", 1)
    assert driver.restart(lose_state=lose_state) == (5 if lose_state else 1)
    driver.pipe("in", "a", 0)
    assert driver.read("out")[-1] == ("a", 2.0)
    assert [record.key() for record in driver.read_raw("app-mean-changelog")] == [b"a", b"b", b"a", b"a", b"a", b"a"]


def test_a_changelog_gets_one_change_of_a_key_in_a_transaction():
    driver = grouped(lambda g: g.count(store="n").to("out"))
    for number in range(10):
        driver.pipe("in", "a", number, commit=False)
    driver.commit()
    assert len(driver.read("out")) == 10
    assert len(driver.read_raw("app-n-changelog")) == 1


def test_what_fails_leaves_no_trace_in_the_aggregate():
    def add(total, value):
        if value == 13:
            raise ValueError("no luck")
        return total + value

    driver = grouped(lambda g: g.aggregate(0, add).to("out", int), on_failure=OnError.SKIP)
    for number in (1, 13, 2):
        driver.pipe("in", "a", number, commit=False)
    driver.commit()
    assert driver.read("out") == [("a", 1), ("a", 3)]


def test_an_aggregate_that_is_changed_in_place_is_refused():
    """What was not committed could not be undone."""
    driver = grouped(lambda g: g.aggregate([], lambda items, v: items.append(v) or items).to("out", JsonSerde()))
    with pytest.raises(ProcessingFailed, match="add gave back the same list; an aggregate is never changed in place"):
        driver.pipe("in", "a", 1, commit=False)


def test_groups_by_another_key_meet():
    topology = Topology("app")
    topology.stream("in", int).group_by(lambda v: v % 2, key=int).count(store="parity").to("out")
    driver = TopologyDriver(topology)
    for number in (1, 2, 3):
        driver.pipe("in", "a", number)
    assert driver.read("out") == [(1, 1), (0, 1), (1, 2)]
    assert "app-parity-repartition" in driver.log


def test_a_table_may_be_filtered_and_mapped_further():
    def build(g):
        big = g.reduce(lambda _, v: v).filter(lambda v: v > 1)
        big.map_values(lambda k, v: f"{k}{v}").to("out", str)
        big.filter_not(lambda v: v > 5).to("few")

    driver = grouped(build)
    for record in [*NUMBERS, ("a", 0), ("a", -1)]:
        driver.pipe("in", *record)
    # A key whose value is filtered out has none any more, which is said once.
    assert driver.read("out") == [("b", "b5"), ("a", "a2"), ("a", "a6"), ("a", None)]
    assert driver.read("few") == [("b", 5), ("a", 2), ("a", None)]


def test_what_is_no_aggregate_is_refused():
    with pytest.raises(TopologyError, match="5 has no methods initial and add"):
        grouped(lambda g: g.aggregate(5))


steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-3, 3), st.sampled_from("cwrxl")), max_size=40)


@given(steps)
def test_commits_rollbacks_writes_and_crashes_leave_the_aggregates_of_an_undisturbed_run(steps):
    """What follows a record: (c)ommit, (w)rite, (r)ollback and retry, crash (x), or crash and loss of the disk (l)."""

    def build(g):
        g.aggregate(Average(), store="mean").to("out", float)

    undisturbed, disturbed = grouped(build), grouped(build)
    for key, number, then in steps:
        undisturbed.pipe("in", key, number)
        if then in "rxl":
            disturbed.pipe("in", key, number, commit=False)
            disturbed.log["in"].pop()
            disturbed.rollback() if then == "r" else disturbed.restart(lose_state=then == "l")
        disturbed.pipe("in", key, number)
        if then == "w":
            disturbed.write()
    assert disturbed.read("out") == undisturbed.read("out")
    everything = (b"", None)
    assert list(disturbed.store("mean").range(*everything)) == list(undisturbed.store("mean").range(*everything))
