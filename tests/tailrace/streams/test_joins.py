"""Joins of streams with tables, and of tables with each other: in every order, and after whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams import OnError, Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.testing.topology_driver import TopologyDriver


def pair(one, other):
    return f"{one}+{other}"


def stream_and_table(kind, table="table"):
    topology = Topology("app", on_unreadable=OnError.SKIP)
    names = getattr(topology, table)("names", str)
    getattr(topology.stream("in", int), kind)(names, pair).to("out", str)
    return TopologyDriver(topology)


@pytest.mark.parametrize("table", ["table", "global_table"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("join", ["2+x", "3+y"]), ("left_join", ["1+None", "2+x", "3+y", "4+None", "5+None"])],
)
def test_a_record_meets_the_value_that_the_table_has_at_its_time(kind, expected, table):
    driver = stream_and_table(kind, table)
    for topic, key, value in [
        *[
            ("in", "a", 1),
            ("names", "a", "x"),
            ("in", "a", 2),
            ("names", "a", "y"),
            ("names", "b", "z"),
            ("in", "a", 3),
        ],
        *[("names", "a", None), ("in", "a", 4), ("in", None, 5)],
    ]:
        driver.pipe(topic, key, value)
    assert [value for _, value in driver.read("out")] == expected


def test_a_joiner_may_want_the_key():
    topology = Topology("app")
    names = topology.table("names", str)
    topology.stream("in", int).join(names, lambda key, value, name: f"{key}{value}{name}", value=str).to("out")
    driver = TopologyDriver(topology)
    driver.pipe("names", "a", "x")
    driver.pipe("in", "a", 1)
    assert driver.read("out") == [("a", "a1x")]


def test_a_global_table_is_asked_for_any_key_and_the_record_keeps_its_own():
    topology = Topology("app")
    rates = topology.global_table("rates", float)
    topology.stream("in", dict).join(rates, lambda v, rate: v["amount"] * rate, on=lambda v: v.get("currency")).to(
        "out", float
    )
    driver = TopologyDriver(topology)
    driver.pipe("rates", "USD", 0.5)
    driver.pipe("in", "a", {"amount": 4, "currency": "USD"})
    driver.pipe("in", "a", {"amount": 4})
    assert driver.read("out") == [("a", 2.0)]


def test_a_stream_whose_keys_have_changed_is_repartitioned_first():
    topology = Topology("app")
    names = topology.table("names", str)
    topology.stream("in", str).select_key(lambda v: v[0]).join(names, pair).to("out", str)
    assert [topic.name for topic in Plan(topology).internal_topics({"in": 2, "names": 3, "out": 1})] == [
        "app-join-1-repartition"
    ]
    driver = TopologyDriver(topology)
    driver.pipe("names", "b", "x")
    driver.pipe("in", "a", "bcd")
    assert driver.read("out") == [("b", "bcd+x")]


def test_what_is_joined_has_as_many_partitions():
    topology = Topology("app")
    topology.stream("in", int).join(topology.table("names", str), pair).to("out", str)
    with pytest.raises(TopologyError, match="in has 2 partitions and names has 3"):
        Plan(topology).partitions({"in": 2, "names": 3, "out": 1})


@pytest.mark.parametrize(
    ("joiner", "on", "said"),
    [(lambda v: v, None, "takes 1 arguments; expected two"), (pair, lambda v: v, "`on` is for global tables")],
)
def test_what_cannot_be_joined_is_refused(joiner, on, said):
    topology = Topology("app")
    names = topology.table("names", str)
    with pytest.raises(TopologyError, match=said):
        topology.stream("in", int).join(names, joiner, on=on)


def test_a_table_with_itself_is_refused():
    names = Topology("app").table("names", str)
    with pytest.raises(TopologyError, match="cannot be joined with itself"):
        names.join(names, pair)


def two_tables(kind):
    topology = Topology("app")
    left, right = topology.table("left", str), topology.table("right", str)
    getattr(left, kind)(right, pair).to("out", str)
    return TopologyDriver(topology)


CHANGES = [
    ("left", "1"),
    ("right", "x"),
    ("right", "y"),
    ("left", None),
    ("left", "2"),
    ("right", None),
    ("left", None),
]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("join", ["1+x", "1+y", None, "2+y", None]),
        ("left_join", ["1+None", "1+x", "1+y", None, "2+y", "2+None", None]),
        ("outer_join", ["1+None", "1+x", "1+y", "None+y", "2+y", "2+None", None]),
    ],
)
def test_two_tables_make_one_that_changes_with_either(kind, expected):
    driver = two_tables(kind)
    for topic, value in CHANGES:
        driver.pipe(topic, "a", value)
    assert [value for _, value in driver.read("out")] == expected


def test_tables_that_were_made_of_others_can_be_joined():
    topology = Topology("app")
    names = topology.table("names", str).filter(lambda v: v != "hidden").map_values(str.upper)
    counts = topology.stream("in", int).group_by_key().count()
    named = counts.join(names, lambda count, name: f"{name}{count}")
    named.join(topology.table("cities", str), pair).to("out", str)
    driver = TopologyDriver(topology)
    for topic, value in [
        ("in", 1),
        ("names", "x"),
        ("cities", "rome"),
        ("in", 1),
        ("names", "hidden"),
        ("in", 1),
        ("names", "y"),
    ]:
        driver.pipe(topic, "a", value)
    assert [value for _, value in driver.read("out")] == ["X1+rome", "X2+rome", None, "Y3+rome"]


def test_a_stream_may_become_a_table():
    topology = Topology("app")
    table = topology.stream("in", str, nullable=True).select_key(lambda key, value: key).to_table(store="latest")
    topology.stream("left", str).left_join(table, pair, value=str).to("out")
    table.filter(lambda v: v != "x").to("others")
    driver = TopologyDriver(topology)
    for topic, value in [("in", "x"), ("left", "1"), ("in", "y"), ("left", "2"), ("in", None), ("left", "3")]:
        driver.pipe(topic, "a", value)
        driver.restart(lose_state=True)
    assert [value for _, value in driver.read("out")] == ["1+x", "2+y", "3+None"]
    assert driver.read("others") == [("a", "y"), ("a", None)]


steps = st.lists(
    st.tuples(
        st.sampled_from(["in", "left", "right"]),
        st.sampled_from("ab"),
        st.one_of(st.none(), st.sampled_from("xyz")),
        st.sampled_from("ccwrxl"),
    ),
    max_size=30,
)


@given(steps, st.sampled_from(["join", "left_join", "outer_join"]))
def test_joins_give_what_a_model_gives_whatever_happens_to_the_task(steps, kind):
    """(c)ommit, (w)rite, (r)ollback and retry, crash (x), or crash and loss of the disk (l) follow a record."""
    topology = Topology("app")
    left, right = topology.table("left", str), topology.table("right", str)
    both = getattr(left, kind)(right, pair)
    topology.stream("in", str, nullable=True).left_join(both, pair).to("out", str)
    driver = TopologyDriver(topology)
    tables, expected = {"left": {}, "right": {}}, []
    for topic, key, value, then in steps:
        if then in "rxl":
            driver.pipe(topic, key, value, commit=False)
            driver.log[topic].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        driver.pipe(topic, key, value)
        if then == "w":
            driver.write()
        if topic != "in":
            tables[topic][key] = value
            continue
        one, other = tables["left"].get(key), tables["right"].get(key)
        needed = {"join": (one, other), "left_join": (one,), "outer_join": (one or other,)}[kind]
        expected.append((key, pair(value, None if None in needed else pair(one, other))))
    assert driver.read("out") == expected
