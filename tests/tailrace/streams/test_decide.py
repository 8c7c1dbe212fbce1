"""The decide/evolve operator: state is the fold of the events, whatever happens to the task."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams import Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.sums import Add, Added, PackSerde, Refused, Sum, decide, evolve, topology


def test_events_go_to_the_topic_of_their_type_and_change_the_state():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "a", Add("2", -9))
    driver.pipe("additions", "a", Add("3", 2))
    assert driver.read("added") == [("a", Added("1", 5, 5, 1)), ("a", Added("3", 2, 7, 2))]
    assert driver.read("refused") == [("a", Refused("2", -9, "below zero"))]


def test_a_repeated_request_makes_no_second_event():
    driver = TopologyDriver(topology())
    for _ in range(3):
        driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "b", Add("1", 5))
    assert driver.read("added") == [("a", Added("1", 5, 5, 1)), ("b", Added("1", 5, 5, 1))]


def test_a_refused_request_stays_refused_when_it_is_repeated():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", -5))
    driver.pipe("additions", "a", Add("2", 10))
    driver.pipe("additions", "a", Add("1", -5))
    assert [event.id for _, event in driver.read("added")] == ["2"]
    assert len(driver.read("refused")) == 1


def test_an_identity_with_other_content_conflicts_and_keeps_its_first_meaning():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "a", Add("1", 6))
    driver.restart(lose_state=True)
    driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "a", Add("1", 7))
    assert driver.read("added") == [("a", Added("1", 5, 5, 1))]
    assert [event.why for _, event in driver.read("refused")] == ["conflict", "conflict"]


def test_what_was_rolled_back_is_decided_again_on_the_old_state():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "a", Add("2", 100), commit=False)
    driver.rollback()
    driver.pipe("additions", "a", Add("2", 100))
    assert driver.read("added")[-1] == ("a", Added("2", 100, 105, 2))


def test_state_behind_the_journal_is_caught_up_and_only_that():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", 5))
    driver.write()
    driver.pipe("additions", "a", Add("2", 6))
    assert driver.restart() == 1
    driver.pipe("additions", "a", Add("3", 1))
    assert driver.read("added")[-1] == ("a", Added("3", 1, 12, 3))


def test_unreadable_records_go_to_the_dead_letters_as_they_are_and_say_why():
    driver = TopologyDriver(topology())
    driver.pipe("additions", "a", Add("1", 5))
    driver.pipe("additions", "a", b"\xff\x00")
    driver.pipe("additions", "a", None)
    driver.pipe("additions", None, Add("2", 5))
    driver.pipe("additions", b"\xff", Add("2", 5))
    driver.pipe("additions", "a", Add("3", 5))
    letters = driver.read_raw("dead-letters")
    assert [dict(letter.headers())["__connect.errors.offset"] for letter in letters] == [b"1", b"2", b"3", b"4"]
    assert letters[0].value() == b"\xff\x00"
    assert [event.id for _, event in driver.read("added")] == ["1", "3"]


requests = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 6), st.integers(-3, 3), st.sampled_from("cwrx")), max_size=40
)


@given(requests)
def test_commits_rollbacks_writes_and_crashes_leave_the_outcome_of_an_undisturbed_run(steps):
    """Each step: a key, an id, an amount, and what follows: (c)ommit, (w)rite, (r)ollback and retry, or crash (x)."""
    undisturbed, disturbed = TopologyDriver(topology()), TopologyDriver(topology())
    for key, identity, amount, then in steps:
        request = Add(str(identity), amount)
        undisturbed.pipe("additions", key, request)
        if then in "rx":
            disturbed.pipe("additions", key, request, commit=False)
            disturbed.log["additions"].pop()
            disturbed.rollback() if then == "r" else disturbed.restart()
        disturbed.pipe("additions", key, request)
        if then == "w":
            disturbed.write()
    for topic in ("added", "refused"):
        assert disturbed.read(topic) == undisturbed.read(topic)
    rebuilt = TopologyDriver(topology())
    rebuilt.log = undisturbed.log
    rebuilt.restart(lose_state=True)
    for store in ("sums", "sums-settled"):
        assert dict(rebuilt.store(store).unwritten()) == dict(undisturbed.store(store).unwritten())


def test_events_that_are_looked_up_by_their_own_decisions_are_refused():
    topology = Topology("sums")
    table = topology.table("added", PackSerde(Added))
    requests = topology.stream("additions", PackSerde(Add))
    requests.decide("sums", decide, evolve, initial=Sum(), tables=[table]).to("added", PackSerde(Added))
    with pytest.raises(TopologyError, match="added has the events of sums, whose decisions look it up as a table"):
        Plan(topology)


def test_events_that_go_nowhere_are_refused():
    topology = Topology("sums")
    topology.stream("additions", PackSerde(Add)).decide("sums", decide, evolve, initial=Sum())
    with pytest.raises(TopologyError, match="go nowhere"):
        Plan(topology)
