"""Where standbys are: everybody comes to the same result, and little moves."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams.standby.placement import standbys_for, standbys_of

NAMES = st.sets(st.text(max_size=3), max_size=6)
TASKS = [("lines", number) for number in range(200)]


@given(NAMES, st.sampled_from(TASKS), st.integers(0, 7), st.randoms())
def test_there_are_as_many_as_wanted_or_possible_none_of_them_the_owner(names, task, replicas, random):
    owner = random.choice([*names, "another"])
    found = standbys_of(task, owner, names, replicas)
    assert len(found) == len(set(found)) == min(replicas, len(names - {owner}))
    assert set(found) <= names - {owner}
    assert found == standbys_of(task, owner, random.sample(sorted(names), len(names)), replicas)
    assert found == standbys_of(task, owner, names, 7)[:replicas]


@given(NAMES, st.sampled_from(TASKS), st.text(max_size=3), st.text(max_size=3), st.integers(0, 3))
def test_one_more_takes_places_and_moves_none(names, task, owner, new, replicas):
    before, after = (standbys_of(task, owner, each, replicas) for each in (names - {new}, names | {new}))
    assert [name for name in after if name != new] == before[: len(after) - (new in after)]


def test_all_get_their_share():
    chosen = Counter(name for task in TASKS for name in standbys_of(task, "1", "123", 1))
    assert chosen.keys() == {"2", "3"}
    assert min(chosen.values()) > 70


def test_an_instance_keeps_those_that_are_placed_there():
    owners = {task: "12"[task[1] % 2] for task in TASKS}
    names = ["1", "2", "3"]

    def kept(name, candidates=names, replicas=1):
        return standbys_for(name, TASKS, owners.get, candidates, replicas, ())

    assert sorted(kept("1") + kept("2") + kept("3")) == TASKS
    assert all(owners[task] != name for name in names for task in kept(name))
    assert kept("1", ["1", "2"]) == [task for task in TASKS if owners[task] == "2"]
    assert kept("3", replicas=2) == TASKS
    assert kept("3", ["1", "2"]) == kept("3", replicas=0) == []


def test_what_is_on_its_way_stays_where_it_is_kept():
    owners = {TASKS[0]: None, TASKS[1]: None, TASKS[2]: "1", TASKS[3]: "1", TASKS[4]: "2"}
    kept = [TASKS[0], TASKS[2]]
    assert standbys_for("1", TASKS[:5], owners.get, ["1", "2"], 1, kept) == [TASKS[0], TASKS[2], TASKS[4]]
