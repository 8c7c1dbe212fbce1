from itertools import product

import pytest

from tailrace.broker.groups.state import PREVIOUS_STATES, Group, GroupState, Member


def member(member_id: str, *protocols: str, instance_id: str | None = None) -> Member:
    return Member(member_id, instance_id, "client", "host", 6000, 60_000, tuple((name, b"") for name in protocols))


@pytest.mark.parametrize(("present", "following"), list(product(GroupState, GroupState)))
def test_only_listed_states_follow_each_other(present: GroupState, following: GroupState) -> None:
    group = Group("group", state=present)
    if present in PREVIOUS_STATES[following]:
        group.move_to(following)
        assert group.state is following
    else:
        with pytest.raises(AssertionError, match="cannot become"):
            group.move_to(following)


def test_every_state_but_the_first_can_be_reached() -> None:
    reached = {GroupState.EMPTY}
    for _ in GroupState:
        reached |= {state for state, previous in PREVIOUS_STATES.items() if previous & reached}
    assert reached == set(GroupState)


def test_the_first_member_leads_until_it_leaves() -> None:
    group = Group("group")
    first, second = member("a", "range"), member("b", "range")
    group.add(first)
    group.add(second)
    assert group.leader_id == "a"
    group.remove(first)
    assert group.leader_id == "b"
    group.remove(second)
    assert group.leader_id is None


def test_the_protocol_is_the_one_that_most_members_prefer() -> None:
    group = Group("group", protocol_type="consumer")
    group.add(member("a", "range", "sticky"))
    group.add(member("b", "sticky", "range"))
    group.add(member("c", "other", "sticky", "range"))
    assert group.common_protocols() == {"range", "sticky"}
    assert group.choose_protocol() == "sticky"


def test_a_member_must_share_a_protocol_with_all() -> None:
    group = Group("group", protocol_type="consumer")
    assert group.supports("consumer", (("range", b""),))
    assert not group.supports("consumer", ())
    group.add(member("a", "range"))
    assert not group.supports("consumer", (("sticky", b""),))
    assert not group.supports("connect", (("range", b""),))


def test_a_static_member_keeps_its_place_under_a_new_id() -> None:
    group = Group("group")
    static = member("a", "range", instance_id="one")
    group.add(static)
    group.add(member("b", "range"))
    group.rename(static, "c")
    assert list(group.members) == ["c", "b"]
    assert group.leader_id == "c"
    assert group.static_members == {"one": "c"}
