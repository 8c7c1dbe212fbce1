"""Laws of the assignors, whatever the members, topics and earlier targets."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.groups.consumer.assignors import ASSIGNORS
from tailrace.broker.groups.consumer.member import TopicPartition

TOPICS = [bytes([number]) * 16 for number in range(1, 5)]
MEMBERS = ["a", "b", "c", "d", "e"]
Targets = dict[str, frozenset[TopicPartition]]
Subscriptions = dict[str, frozenset[bytes]]
counts = st.fixed_dictionaries(dict.fromkeys(TOPICS, st.integers(0, 7)))
subscriptions = st.dictionaries(st.sampled_from(MEMBERS), st.frozensets(st.sampled_from(TOPICS)))
same_subscriptions = st.builds(
    dict.fromkeys, st.sets(st.sampled_from(MEMBERS), min_size=1), st.frozensets(st.sampled_from(TOPICS))
)


@st.composite
def present_targets(draw: st.DrawFn) -> Targets:
    """What members had before: any partitions, also of topics and members that are gone, each once."""
    partitions = st.tuples(st.sampled_from(TOPICS), st.integers(0, 8))
    owners = draw(st.dictionaries(partitions, st.sampled_from(MEMBERS)))
    return {member: frozenset(p for p, owner in owners.items() if owner == member) for member in MEMBERS}


def everything(wanted: Subscriptions, partition_counts: dict[bytes, int]) -> set[TopicPartition]:
    topics = frozenset[bytes]().union(*wanted.values())
    return {(topic, index) for topic in topics for index in range(partition_counts[topic])}


@pytest.mark.parametrize("name", ASSIGNORS)
@given(wanted=subscriptions, partition_counts=counts, present=present_targets())
def test_each_partition_goes_to_one_who_wants_it(
    name: str, wanted: Subscriptions, partition_counts: dict[bytes, int], present: Targets
) -> None:
    targets = ASSIGNORS[name](wanted, partition_counts, present)
    assert targets.keys() == wanted.keys()
    assert all(topic in wanted[member] for member, partitions in targets.items() for topic, _ in partitions)
    handed_out = Counter(partition for partitions in targets.values() for partition in partitions)
    assert handed_out == Counter(everything(wanted, partition_counts))


@pytest.mark.parametrize("name", ASSIGNORS)
@given(wanted=subscriptions, partition_counts=counts, present=present_targets())
def test_what_is_well_assigned_stays(
    name: str, wanted: Subscriptions, partition_counts: dict[bytes, int], present: Targets
) -> None:
    targets = ASSIGNORS[name](wanted, partition_counts, present)
    assert ASSIGNORS[name](wanted, partition_counts, targets) == targets


@given(wanted=same_subscriptions, partition_counts=counts, present=present_targets())
def test_uniform_gives_members_with_equal_subscriptions_equal_numbers(
    wanted: Subscriptions, partition_counts: dict[bytes, int], present: Targets
) -> None:
    targets = ASSIGNORS["uniform"](wanted, partition_counts, present)
    sizes = [len(partitions) for partitions in targets.values()]
    assert max(sizes) - min(sizes) <= 1
    # Nobody gives up more than what it had above the share that it ends with.
    for member, partitions in targets.items():
        had = {p for p in present[member] if p in everything(wanted, partition_counts)}
        assert len(had & partitions) == min(len(had), len(partitions))


@given(wanted=subscriptions, partition_counts=counts, present=present_targets())
def test_uniform_leaves_nothing_to_even_out(
    wanted: Subscriptions, partition_counts: dict[bytes, int], present: Targets
) -> None:
    """No partition could go to a member that has two less, also not by way of others."""
    targets = ASSIGNORS["uniform"](wanted, partition_counts, present)
    for member, partitions in targets.items():
        reached, news = {member}, {member}
        while news:
            offered = {topic for giver in news for topic, _ in targets[giver]}
            news = {taker for taker, topics in wanted.items() if topics & offered} - reached
            reached |= news
        assert all(len(targets[other]) >= len(partitions) - 1 for other in reached)


@given(wanted=same_subscriptions, partition_counts=counts, present=present_targets())
def test_range_shares_each_topic_equally(
    wanted: Subscriptions, partition_counts: dict[bytes, int], present: Targets
) -> None:
    targets = ASSIGNORS["range"](wanted, partition_counts, present)
    for topic in next(iter(wanted.values())):
        sizes = [sum(found == topic for found, _ in partitions) for partitions in targets.values()]
        assert max(sizes) - min(sizes) <= 1


@given(wanted=same_subscriptions, partition_count=st.integers(0, 12), present=present_targets())
def test_range_gives_topics_of_one_size_to_the_same_members(
    wanted: Subscriptions, partition_count: int, present: Targets
) -> None:
    """Whatever they had of each: it may be that one of the topics was made later."""
    targets = ASSIGNORS["range"](wanted, dict.fromkeys(TOPICS, partition_count), present)
    ranges = [
        [sorted(index for found, index in targets[member] if found == topic) for member in wanted]
        for topic in next(iter(wanted.values()))
    ]
    for found in ranges:
        assert found == ranges[0]
        assert [index for indexes in found for index in indexes] == list(range(partition_count)), "contiguous"


def test_a_new_member_takes_only_its_share() -> None:
    [topic] = TOPICS[:1]
    before = ASSIGNORS["uniform"](dict.fromkeys("ab", frozenset({topic})), {topic: 9}, {})
    after = ASSIGNORS["uniform"](dict.fromkeys("abc", frozenset({topic})), {topic: 9}, before)
    assert len(after["c"]) == 3
    assert after["a"] < before["a"]
    assert after["b"] <= before["b"]
