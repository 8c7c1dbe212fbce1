"""The plan: where a topology is cut, which topics it makes, and what cannot run."""

import pytest

from tailrace.streams import OnError, Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.testing.topology_driver import TopologyDriver


def last(key, state, value, record):
    return (value,)


def remembering(stream, store="latest", topic="out"):
    """A step that needs all records of a key in one place."""
    stream.decide(store, last, lambda state, event: event, initial=0).to(topic, int)


def test_streams_that_never_meet_are_sub_topologies_of_their_own():
    topology = Topology("app")
    topology.stream("one", int).to("out-1")
    topology.stream("two", int).merge(topology.stream("three", int)).to("out-2")
    plan = Plan(topology)
    assert [sub.inputs for sub in plan.subtopologies] == [("one",), ("two", "three")]
    assert plan.tasks(plan.partitions({"one": 2, "two": 3, "three": 3, "out-1": 1, "out-2": 1})) == [
        (plan.subtopologies[0], 2),
        (plan.subtopologies[1], 3),
    ]


def test_records_go_through_a_topic_of_their_own_only_where_keys_have_changed():
    topology = Topology("app")
    remembering(topology.stream("in", int).filter(lambda v: v > 0).map_values(lambda v: v, value=int))
    assert Plan(topology).internal_topics({"in": 4, "out": 4}) == []

    topology = Topology("app")
    remembering(topology.stream("in", int).select_key(lambda v: v, key=int).filter(lambda v: v > 0), "latest")
    plan = Plan(topology)
    (topic,) = plan.internal_topics({"in": 4, "out": 4})
    assert (topic.name, topic.partitions) == ("app-latest-repartition", 4)
    assert [sub.inputs for sub in plan.subtopologies] == [("in",), ("app-latest-repartition",)]
    assert plan.topics == {"in", "out"}


def test_steps_behind_the_same_stream_share_its_repartition_topic():
    topology = Topology("app")
    stream = topology.stream("in", int).select_key(lambda v: v % 2, key=int)
    remembering(stream, "one", "out-1")
    remembering(stream, "two", "out-2")
    assert [topic.name for topic in Plan(topology).internal_topics({"in": 1, "out-1": 1, "out-2": 1})] == [
        "app-one-repartition"
    ]


@pytest.mark.parametrize(
    ("partitions", "beside", "expected"),
    [(None, None, 6), (3, None, 3), (None, 5, 5)],
    ids=["as the source", "as told", "as what it is read together with"],
)
def test_a_repartition_topic_has_as_many_partitions(partitions, beside, expected):
    topology = Topology("app")
    moved = topology.stream("in", int).select_key(lambda v: v, key=int).repartition("moved", partitions=partitions)
    if beside:
        moved = moved.merge(topology.stream("beside", int, key=int))
    moved.to("out", int)
    (topic,) = Plan(topology).internal_topics({"in": 6, "beside": beside or 1, "out": 1})
    assert topic.partitions == expected


def test_partitions_follow_through_several_repartitions():
    topology = Topology("app")
    stream = topology.stream("in", int)
    for name in ("first", "second", "third"):
        stream = stream.select_key(lambda v: v, key=int).repartition(name)
    stream.to("out")
    assert [topic.partitions for topic in Plan(topology).internal_topics({"in": 7, "out": 1})] == [7, 7, 7]


def test_records_that_could_not_meet_are_refused_naming_topics_and_counts():
    topology = Topology("app")
    remembering(topology.stream("one", int).merge(topology.stream("two", int)))
    with pytest.raises(TopologyError, match="app: one has 2 partitions and two has 3; records of one key meet only"):
        Plan(topology).partitions({"one": 2, "two": 3, "out": 2})


def test_streams_without_state_need_not_have_as_many_partitions():
    topology = Topology("app")
    topology.stream("one", int).merge(topology.stream("two", int)).to("out")
    plan = Plan(topology)
    assert plan.tasks(plan.partitions({"one": 2, "two": 3, "out": 1})) == [(plan.subtopologies[0], 3)]


def test_two_stores_of_one_name_are_refused():
    topology = Topology("app")
    remembering(topology.stream("one", int), topic="out-1")
    remembering(topology.stream("two", int), topic="out-2")
    with pytest.raises(TopologyError, match="app has two stores called latest"):
        Plan(topology)


def test_dead_letters_are_wanted_only_by_whom_writes_them():
    for handling, expected in [
        ({}, {"in", "out"}),
        ({"on_unreadable": OnError.SKIP}, {"in", "out"}),
        ({"on_unreadable": OnError.DEAD_LETTER}, {"in", "out", "dead-letters"}),
        ({"on_failure": lambda record, error: OnError.SKIP, "dead_letters": "lost"}, {"in", "out", "lost"}),
    ]:
        topology = Topology("app", **handling)
        topology.stream("in", int).to("out")
        assert topology.topics() == expected


def test_keys_meet_behind_a_repartition():
    topology = Topology("app")
    remembering(topology.stream("in", int).select_key(lambda v: v % 2, key=int))
    driver = TopologyDriver(topology)
    for number in (1, 2, 3):
        driver.pipe("in", "a", number)
    assert driver.read("out") == [(1, 1), (0, 2), (1, 3)]


def test_it_can_be_described():
    topology = Topology("app")
    moved = topology.stream("in", int).select_key(abs, key=int)
    moved.to("keyed")
    remembering(moved)
    assert topology.describe().splitlines() == [
        "app",
        "  sub-topology 0",
        "    stream in",
        "      -> select key abs",
        "        -> to keyed",
        "        -> to app-latest-repartition",
        "  sub-topology 1",
        "    stream app-latest-repartition",
        "      -> decide latest",
        "        -> to out",
    ]
