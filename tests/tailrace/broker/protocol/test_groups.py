"""Consumer groups, classic protocol: who may join, what a rebalance waits for, who is fenced (KIP-345, 394, 814)."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import Answered, Wire

Connect = Callable[[], Wire]


def join_fields(group: str, member_id: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "group_id": group,
        "member_id": member_id,
        "session_timeout": 10_000,
        "rebalance_timeout": 10_000,
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b"m"}],
        **fields,
    }


def member_id_for(wire: Wire, group: str) -> str:
    answer = wire.patiently("join_group", 6, **join_fields(group))
    assert answer.error_code is ErrorCode.member_id_required
    return str(answer.member_id)


def join(wire: Wire, group: str, member_id: str = "", **fields: Any) -> Any:
    """Join and wait for the end of the rebalance; a dynamic member asks for its id first."""
    if not member_id and "group_instance_id" not in fields:
        member_id = member_id_for(wire, group)
    answer = wire.patiently("join_group", fields.pop("version", 9), **join_fields(group, member_id, **fields))
    assert answer.error_code is ErrorCode.none, answer
    return answer


def sync(wire: Wire, group: str, member: Any, *, instance_id: str | None = None, **assignments: bytes) -> Any:
    """Send the leader's assignments, or ask for one's own; by default everything is for the member itself."""
    given = assignments or ({member.member_id: b"all"} if member.leader == member.member_id else {})
    return wire.patiently("sync_group", 5, **sync_fields(group, member, instance_id, given))


def sync_fields(group: str, member: Any, instance_id: str | None, assignments: dict[str, bytes]) -> dict[str, Any]:
    return {
        "group_id": group,
        "generation_id": member.generation_id,
        "member_id": member.member_id,
        "group_instance_id": instance_id,
        "protocol_type": "consumer",
        "protocol_name": "range",
        "assignments": [{"member_id": name, "assignment": value} for name, value in assignments.items()],
    }


def heartbeat(wire: Wire, group: str, member: Any, *, generation: int | None = None, **fields: Any) -> ErrorCode:
    generation_id = member.generation_id if generation is None else generation
    names = {"group_id": group, "generation_id": generation_id, "member_id": member.member_id}
    error: ErrorCode = wire.patiently("heartbeat", 4, **names | fields).error_code
    return error


def describe(wire: Wire, group: str) -> Any:
    return wire.patiently("describe_groups", 5, groups=[group]).groups[0]


@pytest.fixture
def group(wire: Wire) -> str:
    return wire.unique("group")


# -- joining -------------------------------------------------------------------------------------------------------


def test_the_first_member_leads_and_gets_what_it_assigns(wire: Wire, group: str) -> None:
    member = join(wire, group)
    assert member.leader == member.member_id
    assert [(other.member_id, other.metadata) for other in member.members] == [(member.member_id, b"m")]
    answer = sync(wire, group, member)
    assert (answer.error_code, answer.assignment) == (ErrorCode.none, b"all")
    assert (answer.protocol_type, answer.protocol_name) == ("consumer", "range")
    assert heartbeat(wire, group, member) is ErrorCode.none
    assert describe(wire, group).group_state == "Stable"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"group_id": ""}, ErrorCode.invalid_group_id),
        ({"session_timeout": 1}, ErrorCode.invalid_session_timeout),
        ({"session_timeout": 10**9}, ErrorCode.invalid_session_timeout),
        ({"member_id": "nobody"}, ErrorCode.unknown_member_id),
        ({"protocols": []}, ErrorCode.inconsistent_group_protocol),
        ({"protocol_type": ""}, ErrorCode.inconsistent_group_protocol),
    ],
    ids=str,
)
def test_a_bad_join_is_refused(wire: Wire, group: str, fields: dict[str, Any], error: ErrorCode) -> None:
    answer = wire.patiently("join_group", 6, **join_fields(group) | fields)
    assert (answer.error_code, answer.generation_id) == (error, -1)


@pytest.mark.parametrize(
    "fields", [{"protocol_type": "connect"}, {"protocols": [{"name": "other", "metadata": b""}]}], ids=str
)
def test_a_member_that_shares_no_protocol_is_refused(wire: Wire, group: str, fields: dict[str, Any]) -> None:
    sync(wire, group, join(wire, group))
    answer = wire.patiently("join_group", 6, **join_fields(group) | fields)
    assert answer.error_code is ErrorCode.inconsistent_group_protocol


def test_an_id_that_is_never_used_does_not_hold_up_the_group_for_longer_than_a_session(
    wire: Wire, connect: Connect, group: str
) -> None:
    wire.patiently("join_group", 6, **join_fields(group, session_timeout=500))
    started = time.monotonic()
    join(connect(), group)
    assert time.monotonic() - started < 5


def test_a_second_member_begins_a_rebalance_that_the_first_hears_of(wire: Wire, connect: Connect, group: str) -> None:
    first = join(wire, group)
    sync(wire, group, first)
    other = connect()
    asked = other.send("join_group", 9, **join_fields(group, member_id_for(other, group)))
    until_rebalancing(wire, group, first)
    assert describe(wire, group).group_state == "PreparingRebalance"
    again = join(wire, group, first.member_id)
    second = other.receive(asked)
    assert again.generation_id == second.generation_id == first.generation_id + 1
    assert (again.leader, second.leader) == (first.member_id, first.member_id)
    assert len(again.members) == 2
    assert second.members == ()
    waiting = other.send("sync_group", 5, **sync_fields(group, second, None, {}))
    assert other.is_silent(), "until the leader has assigned"
    sync(wire, group, again, **{first.member_id: b"1", second.member_id: b"2"})
    assert other.receive(waiting).assignment == b"2"


def until_rebalancing(wire: Wire, group: str, member: Any, **fields: Any) -> None:
    from .conftest import until

    until(lambda: heartbeat(wire, group, member, **fields) is ErrorCode.rebalance_in_progress)


def test_a_member_that_does_not_join_again_is_out_after_the_rebalance_timeout(
    wire: Wire, connect: Connect, group: str
) -> None:
    late = join(wire, group, rebalance_timeout=500)
    sync(wire, group, late)
    other = connect()
    second = join(other, group, rebalance_timeout=500)
    assert second.leader == second.member_id
    assert len(second.members) == 1
    assert heartbeat(wire, group, late) is ErrorCode.unknown_member_id


def test_a_silent_member_is_out_after_its_session(wire: Wire, connect: Connect, group: str) -> None:
    silent = join(wire, group, session_timeout=600)
    sync(wire, group, silent)
    second = join(connect(), group, rebalance_timeout=20_000)
    assert [member.member_id for member in second.members] == [second.member_id]


def test_a_follower_that_repeats_a_join_gets_the_present_generation(wire: Wire, connect: Connect, group: str) -> None:
    leader, follower, other = two_members(wire, connect, group)
    again = join(other, group, follower.member_id)
    assert again.generation_id == follower.generation_id
    assert heartbeat(wire, group, leader) is ErrorCode.none


def test_a_leader_that_repeats_a_join_begins_a_rebalance(wire: Wire, connect: Connect, group: str) -> None:
    leader, follower, other = two_members(wire, connect, group)
    asked = wire.send("join_group", 9, **join_fields(group, leader.member_id))
    until_rebalancing(other, group, follower)
    join(other, group, follower.member_id)
    assert wire.receive(asked).generation_id == leader.generation_id + 1


def two_members(wire: Wire, connect: Connect, group: str) -> tuple[Any, Any, Wire]:
    """A stable group of a leader, on `wire`, and a follower, on the connection that is given back."""
    first = join(wire, group)
    sync(wire, group, first)
    other = connect()
    asked = other.send("join_group", 9, **join_fields(group, member_id_for(other, group)))
    until_rebalancing(wire, group, first)
    leader = join(wire, group, first.member_id)
    follower = other.receive(asked)
    sync(wire, group, leader, **{leader.member_id: b"1", follower.member_id: b"2"})
    sync(other, group, follower)
    return leader, follower, other


# -- membership ----------------------------------------------------------------------------------------------------


def test_a_wrong_generation_and_an_unknown_member_are_told_apart(wire: Wire, group: str) -> None:
    member = join(wire, group)
    sync(wire, group, member)
    assert heartbeat(wire, group, member, generation=99) is ErrorCode.illegal_generation
    assert heartbeat(wire, group, member, member_id="nobody") is ErrorCode.unknown_member_id
    assert heartbeat(wire, wire.unique("group"), member) is ErrorCode.unknown_member_id
    stale = member_with(member, generation_id=99)
    assert sync(wire, group, stale).error_code is ErrorCode.illegal_generation


def member_with(member: Any, **fields: Any) -> Any:
    from dataclasses import replace

    return replace(member, **fields)


def test_a_sync_with_another_protocol_is_refused(wire: Wire, group: str) -> None:
    member = join(wire, group)
    fields = sync_fields(group, member, None, {})
    for wrong in ({"protocol_type": "connect"}, {"protocol_name": "other"}):
        answer = wire.patiently("sync_group", 5, **fields | wrong)
        assert answer.error_code is ErrorCode.inconsistent_group_protocol


def test_a_sync_while_others_join_is_told_of_the_rebalance(wire: Wire, connect: Connect, group: str) -> None:
    first = join(wire, group)
    sync(wire, group, first)
    other = connect()
    asked = other.send("join_group", 9, **join_fields(group, member_id_for(other, group)))
    until_rebalancing(wire, group, first)
    assert sync(wire, group, first).error_code is ErrorCode.rebalance_in_progress
    join(wire, group, first.member_id)
    other.receive(asked)


def test_leaving_ends_the_membership_and_begins_a_rebalance(wire: Wire, connect: Connect, group: str) -> None:
    leader, follower, other = two_members(wire, connect, group)
    [left] = other.patiently("leave_group", 5, group_id=group, members=[{"member_id": follower.member_id}]).members
    assert left.error_code is ErrorCode.none
    assert heartbeat(wire, group, leader) is ErrorCode.rebalance_in_progress
    assert heartbeat(other, group, follower) is ErrorCode.unknown_member_id
    assert len(join(wire, group, leader.member_id).members) == 1


def test_a_group_that_all_left_is_empty_and_can_be_deleted(wire: Wire, group: str) -> None:
    member = join(wire, group)
    sync(wire, group, member)
    assert delete(wire, group) is ErrorCode.non_empty_group
    wire.patiently("leave_group", 5, group_id=group, members=[{"member_id": member.member_id}])
    assert describe(wire, group).group_state == "Empty"
    assert delete(wire, group) is ErrorCode.none
    assert delete(wire, group) is ErrorCode.group_id_not_found


def delete(wire: Wire, group: str) -> ErrorCode:
    [result] = wire.patiently("delete_groups", 2, groups_names=[group]).results
    error: ErrorCode = result.error_code
    return error


# -- static members ------------------------------------------------------------------------------------------------


def test_a_static_member_needs_no_id_before_it_joins(wire: Wire, group: str) -> None:
    member = join(wire, group, group_instance_id="one")
    assert member.member_id.startswith("one-")
    assert [other.group_instance_id for other in member.members] == ["one"]


def test_a_static_leader_that_comes_back_gets_another_id_and_skips_the_assignment(wire: Wire, group: str) -> None:
    old = join(wire, group, group_instance_id="one")
    sync(wire, group, old, instance_id="one")
    new = join(wire, group, group_instance_id="one")
    assert new.member_id != old.member_id
    assert new.generation_id == old.generation_id
    assert (new.leader, new.skip_assignment) == (new.member_id, True)
    assert [member.member_id for member in new.members] == [new.member_id]
    assert sync(wire, group, new, instance_id="one", x=b"y").assignment == b"all"
    assert heartbeat(wire, group, new, group_instance_id="one") is ErrorCode.none


def test_before_version_9_a_static_leader_that_comes_back_is_told_that_another_leads(wire: Wire, group: str) -> None:
    old = join(wire, group, group_instance_id="one", version=8)
    sync(wire, group, old, instance_id="one")
    new = join(wire, group, group_instance_id="one", version=8)
    assert new.leader == old.member_id != new.member_id
    assert (new.generation_id, new.members) == (old.generation_id, ())


def test_the_old_id_of_a_static_member_is_fenced(wire: Wire, group: str) -> None:
    old = join(wire, group, group_instance_id="one")
    sync(wire, group, old, instance_id="one")
    join(wire, group, group_instance_id="one")
    assert heartbeat(wire, group, old, group_instance_id="one") is ErrorCode.fenced_instance_id
    assert sync(wire, group, old, instance_id="one").error_code is ErrorCode.fenced_instance_id
    fields = join_fields(group, old.member_id, group_instance_id="one")
    assert wire.patiently("join_group", 9, **fields).error_code is ErrorCode.fenced_instance_id
    leaving = [{"member_id": old.member_id, "group_instance_id": "one"}]
    [left] = wire.patiently("leave_group", 5, group_id=group, members=leaving).members
    assert left.error_code is ErrorCode.fenced_instance_id


def test_an_open_request_of_the_old_id_is_answered_with_fenced(wire: Wire, connect: Connect, group: str) -> None:
    leader, follower, other = two_static_members(wire, connect, group)
    asked = other.send("join_group", 9, **joins_again(group, "two", follower.member_id, b"changed"))
    until_rebalancing(wire, group, leader, group_instance_id="one")
    third = connect()
    late = third.send("join_group", 9, **join_fields(group, group_instance_id="two"))
    assert other.receive(asked).error_code is ErrorCode.fenced_instance_id
    join(wire, group, leader.member_id, group_instance_id="one")
    assert third.receive(late).error_code is ErrorCode.none


def joins_again(group: str, instance_id: str, member_id: str, metadata: bytes) -> dict[str, Any]:
    protocols = [{"name": "range", "metadata": metadata}]
    return join_fields(group, member_id, group_instance_id=instance_id, protocols=protocols)


def two_static_members(wire: Wire, connect: Connect, group: str) -> tuple[Any, Any, Wire]:
    first = join(wire, group, group_instance_id="one")
    sync(wire, group, first, instance_id="one")
    other = connect()
    asked = other.send("join_group", 9, **join_fields(group, group_instance_id="two"))
    until_rebalancing(wire, group, first, group_instance_id="one")
    leader = join(wire, group, first.member_id, group_instance_id="one")
    follower = other.receive(asked)
    waiting: Answered = other.send("sync_group", 5, **sync_fields(group, follower, "two", {}))
    sync(wire, group, leader, instance_id="one", **{leader.member_id: b"1", follower.member_id: b"2"})
    assert other.receive(waiting).assignment == b"2"
    return leader, follower, other


def test_a_static_follower_comes_back_without_a_rebalance_and_keeps_its_assignment(
    wire: Wire, connect: Connect, group: str
) -> None:
    leader, follower, _ = two_static_members(wire, connect, group)
    third = connect()
    again = join(third, group, group_instance_id="two")
    assert again.generation_id == follower.generation_id
    assert sync(third, group, again, instance_id="two").assignment == b"2"
    assert heartbeat(wire, group, leader, group_instance_id="one") is ErrorCode.none


def test_a_static_member_that_comes_back_with_other_metadata_begins_no_rebalance_either(
    wire: Wire, connect: Connect, group: str
) -> None:
    leader, follower, _ = two_static_members(wire, connect, group)
    fields = joins_again(group, "two", "", b"changed")
    assert connect().ask("join_group", 9, **fields).generation_id == follower.generation_id
    assert heartbeat(wire, group, leader, group_instance_id="one") is ErrorCode.none


def test_a_static_member_that_comes_back_with_another_protocol_for_all_begins_a_rebalance(
    wire: Wire, group: str
) -> None:
    both = [{"name": name, "metadata": b"m"} for name in ("range", "other")]
    old = join(wire, group, group_instance_id="one", protocols=both)
    sync(wire, group, old, instance_id="one")
    new = join(wire, group, group_instance_id="one", protocols=both[::-1])
    assert (new.generation_id, new.protocol_name) == (old.generation_id + 1, "other")


def test_a_static_member_can_be_removed_by_its_instance_id(wire: Wire, group: str) -> None:
    member = join(wire, group, group_instance_id="one")
    sync(wire, group, member, instance_id="one")
    leaving = [{"member_id": "", "group_instance_id": "one"}, {"member_id": "", "group_instance_id": "two"}]
    answer = wire.patiently("leave_group", 5, group_id=group, members=leaving)
    assert [left.error_code for left in answer.members] == [ErrorCode.none, ErrorCode.unknown_member_id]
    assert describe(wire, group).group_state == "Empty"


# -- commits of members --------------------------------------------------------------------------------------------


def test_only_members_of_the_present_generation_commit(wire: Wire, group: str) -> None:
    from .test_offset_fetch import commit

    topic = wire.topic()
    member = join(wire, group)
    sync(wire, group, member)
    present = {"generation_id_or_member_epoch": member.generation_id, "member_id": member.member_id}
    assert commit(wire, group, topic, 5, **present) is ErrorCode.none
    stale = present | {"generation_id_or_member_epoch": 99}
    assert commit(wire, group, topic, 5, **stale) is ErrorCode.illegal_generation
    assert commit(wire, group, topic, 5, **present | {"member_id": "x"}) is ErrorCode.unknown_member_id
    assert commit(wire, group, topic, 5) is ErrorCode.unknown_member_id, "an outsider while there are members"
    stranger = present | {"group_instance_id": "stranger"}
    assert commit(wire, group, topic, 5, **stranger) is ErrorCode.unknown_member_id


def test_commits_wait_for_the_assignment_but_not_for_others_to_join(wire: Wire, connect: Connect, group: str) -> None:
    from .test_offset_fetch import commit

    topic = wire.topic()
    first = join(wire, group)
    present = {"generation_id_or_member_epoch": first.generation_id, "member_id": first.member_id}
    assert commit(wire, group, topic, 5, **present) is ErrorCode.rebalance_in_progress
    sync(wire, group, first)
    other = connect()
    asked = other.send("join_group", 9, **join_fields(group, member_id_for(other, group)))
    until_rebalancing(wire, group, first)
    assert commit(wire, group, topic, 5, **present) is ErrorCode.none
    join(wire, group, first.member_id)
    other.receive(asked)
