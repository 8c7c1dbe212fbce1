"""What members are told, and what they are refused."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.events import ConsumerGroupAssigned, ConsumerGroupEpochBumped, ConsumerGroupMemberChanged
from tailrace.broker.groups.consumer.group import ConsumerGroupState
from tailrace.broker.groups.consumer.heartbeat import Heartbeat, Refused, problem
from tailrace.broker.groups.consumer.member import AWAY, LEAVING, Member
from tailrace.broker.groups.consumer.metadata import fingerprint

from .room import GROUP, NOTHING, Room, owned


def test_the_first_member_gets_everything_at_once() -> None:
    room = Room(topic=3)
    answer = room.join("a", "topic")
    assert (answer.member_epoch, answer.assignment) == (2, owned("topic", 0, 1, 2))
    assert room.group.state is ConsumerGroupState.STABLE


def test_a_second_member_waits_until_the_first_gave_up() -> None:
    room = Room(topic=2)
    room.join("a", "topic")
    waiting = room.join("b", "topic")
    assert (waiting.member_epoch, waiting.assignment) == (3, NOTHING)
    told = room.accepted("a", 2)
    assert told.member_epoch == 2, "it stays in its epoch until it gave up"
    [kept] = told.assignment or ()
    assert room.accepted("b", 3).assignment is None, "nothing is new"
    assert room.accepted("a", 2, owned=frozenset({kept})).member_epoch == 3
    [got] = room.accepted("b", 3).assignment or ()
    assert {kept, got} == owned("topic", 0, 1)
    assert room.group.state is ConsumerGroupState.STABLE


def test_states_of_a_group() -> None:
    room = Room(topic=2)
    assert room.group.state is ConsumerGroupState.EMPTY
    room.join("a", "topic")
    room.join("b", "topic")
    assert room.group.state is ConsumerGroupState.RECONCILING
    room.accepted("b", LEAVING)
    assert room.group.state is ConsumerGroupState.ASSIGNING
    room.accepted("a", 2)
    assert room.group.state is ConsumerGroupState.STABLE
    room.accepted("a", LEAVING)
    assert room.group.state is ConsumerGroupState.EMPTY


def test_a_heartbeat_that_changes_nothing_records_nothing() -> None:
    room = Room(topic=2)
    room.join("a", "topic")
    room.join("b", "topic")
    for told in ({}, {"owned": owned("topic", 0, 1)}, {"subscribed_topic_names": ("topic",)}):
        room.accepted("a", 2, **told)
        assert room.accepted("a", 2, **told).events == []
        room.accepted("b", 3)
        assert room.accepted("b", 3).events == []


def test_everything_is_told_again_to_who_tells_everything() -> None:
    room = Room(topic=1)
    room.join("a", "topic")
    told = {"owned": owned("topic", 0), "rebalance_timeout_ms": 1000, "subscribed_topic_names": ("topic",)}
    assert room.accepted("a", 2).assignment is None
    assert room.accepted("a", 2, **told).assignment == owned("topic", 0)


@pytest.mark.parametrize(
    ("epoch", "has", "error"),
    [
        (3, None, None),
        (4, None, ErrorCode.fenced_member_epoch),
        (2, owned("topic", 0), None),
        (2, NOTHING, None),
        (2, None, ErrorCode.fenced_member_epoch),
        (2, owned("topic", 0, 1), ErrorCode.fenced_member_epoch),
        (1, owned("topic", 0), ErrorCode.fenced_member_epoch),
    ],
)
def test_a_member_in_another_epoch_is_fenced_unless_a_reply_was_lost(
    epoch: int, has: Any, error: ErrorCode | None
) -> None:
    room = Room(topic=1)
    member = Member(
        "a", epoch=3, previous_epoch=2, subscribed_topic_names=("topic",), assigned=dict.fromkeys(owned("topic", 0), 1)
    )
    room.apply(
        [
            ConsumerGroupEpochBumped(GROUP, 3, fingerprint(room.topics.values())),
            ConsumerGroupMemberChanged(GROUP, member),
            ConsumerGroupAssigned(GROUP, 3, {"a": owned("topic", 0)}),
        ]
    )
    decision = room.heartbeat("a", epoch, owned=has)
    assert (decision.error if isinstance(decision, Refused) else None) == error


def test_a_fenced_member_joins_again_and_is_told_everything() -> None:
    room = Room(topic=2)
    room.join("a", "topic")
    assert room.error("a", 8) is ErrorCode.fenced_member_epoch
    answer = room.join("a", "topic")
    assert (answer.member_epoch, answer.assignment) == (2, owned("topic", 0, 1))


def test_strangers_are_unknown() -> None:
    room = Room(topic=1)
    room.join("a", "topic")
    room.join("s", "topic", instance_id="one")
    assert room.error("b", 2) is ErrorCode.unknown_member_id
    assert room.error("b", LEAVING) is ErrorCode.unknown_member_id
    assert room.error("s", 2, instance_id="two") is ErrorCode.unknown_member_id
    assert room.error("s", AWAY, instance_id="two") is ErrorCode.unknown_member_id


def test_a_full_group_takes_nobody_new() -> None:
    room = Room(members_max=1, topic=1)
    room.join("a", "topic")
    refused = room.heartbeat("b", 0, owned=NOTHING, rebalance_timeout_ms=1, subscribed_topic_names=("topic",))
    assert isinstance(refused, Refused)
    assert refused.error is ErrorCode.group_max_size_reached
    room.accepted("a", 2)


def test_topics_that_change_begin_a_new_epoch() -> None:
    room = Room(topic=1, unrelated=1)
    room.join("a", "topic", "later")
    room.change_topics(topic=1, unrelated=5)
    assert room.accepted("a", 2).member_epoch == 2, "not its topic"
    room.change_topics(topic=2)
    grown = room.accepted("a", 2)
    assert (grown.member_epoch, grown.assignment) == (3, owned("topic", 0, 1))
    room.change_topics(topic=2, later=1)
    created = room.accepted("a", 3)
    assert (created.member_epoch, created.assignment) == (4, owned("topic", 0, 1) | owned("later", 0))
    room.change_topics(later=1)
    deleted = room.accepted("a", 4)
    assert (deleted.member_epoch, deleted.assignment) == (4, owned("later", 0)), "it has to give up"
    assert room.accepted("a", 4, owned=owned("later", 0)).member_epoch == 5


def test_another_subscription_takes_effect_at_once() -> None:
    room = Room(topic=1, other=1)
    room.join("a", "topic")
    changed = room.accepted("a", 2, subscribed_topic_names=("other",))
    assert changed.assignment == NOTHING
    moved = room.accepted("a", 2, owned=NOTHING)
    assert (moved.member_epoch, moved.assignment) == (3, owned("other", 0))


def test_a_regular_expression_subscribes_to_topics_that_exist_and_that_come() -> None:
    room = Room(orders=1, payments=1)
    answer = room.join("a", subscribed_topic_names=(), subscribed_topic_regex="orders.*|refunds")
    assert answer.assignment == owned("orders", 0)
    room.change_topics(orders=1, payments=1, refunds=1, my_refunds=1)
    assert room.accepted("a", 2).assignment == owned("orders", 0) | owned("refunds", 0)
    assert room.accepted("a", 3, subscribed_topic_names=("payments",)).assignment is not None
    room.accepted("a", 4, subscribed_topic_regex="", owned=owned("payments", 0))
    room.accepted("a", 4, owned=owned("payments", 0))
    assert set(room.member("a").assigned) == owned("payments", 0)


@pytest.mark.parametrize("pattern", ["(", "(?=ahead)", r"(a)\1", "a{2000}"])
def test_regular_expressions_that_are_none_are_refused(pattern: str) -> None:
    room = Room(topic=1)
    told = {"owned": NOTHING, "rebalance_timeout_ms": 1, "subscribed_topic_regex": pattern}
    refused = room.heartbeat("a", 0, **told)
    assert isinstance(refused, Refused)
    assert refused.error is ErrorCode.invalid_regular_expression
    assert f"SubscribedTopicRegex `{pattern}` is not a valid regular expression" in refused.message
    assert room.history == []


def test_a_static_member_finds_its_place_again() -> None:
    room = Room(topic=2)
    room.join("a", "topic", instance_id="one")
    room.join("b", "topic")
    room.accepted("a", 2, instance_id="one")
    [kept] = room.member("a").assigned
    room.accepted("a", 2, instance_id="one", owned=frozenset({kept}))
    room.accepted("b", 3)
    assert room.accepted("a", AWAY, instance_id="one").member_epoch == AWAY
    epoch = room.group.epoch
    again = room.join("c", "topic", instance_id="one")
    assert (again.member_epoch, again.assignment) == (3, frozenset({kept}))
    assert room.group.epoch == epoch, "nobody else notices"
    assert room.group.members.keys() == {"b", "c"}
    assert room.error("a", 3, instance_id="one") is ErrorCode.fenced_instance_id
    room.assert_replayable()


def test_an_instance_id_is_taken_until_it_is_released() -> None:
    room = Room(topic=2)
    room.join("a", "topic", instance_id="one")
    told = {"owned": NOTHING, "rebalance_timeout_ms": 1, "subscribed_topic_names": ("topic",)}
    assert room.error("b", 0, instance_id="one", **told) is ErrorCode.unreleased_instance_id
    assert room.join("a", "topic", instance_id="one").assignment == owned("topic", 0, 1), "it is its own"
    room.accepted("a", LEAVING, instance_id="one")
    assert room.join("b", "topic", instance_id="one").assignment == owned("topic", 0, 1)


def test_a_member_that_takes_another_instance_id_gives_its_own_back() -> None:
    room = Room(topic=2)
    room.join("a", "topic", instance_id="one")
    room.join("a", "topic", instance_id="two")
    assert room.join("b", "topic", instance_id="one").assignment == NOTHING
    room.assert_replayable()


def test_what_a_static_member_was_giving_up_is_free_when_it_goes_away() -> None:
    room = Room(topic=2)
    room.join("a", "topic", instance_id="one")
    room.join("b", "topic")
    [kept] = room.accepted("a", 2, instance_id="one").assignment or ()
    room.accepted("a", AWAY, instance_id="one")
    assert room.accepted("b", 3).assignment == owned("topic", 0, 1) - {kept}


def test_most_members_choose_the_assignor() -> None:
    room = Room(left=2, right=2)
    room.join("a", "left", "right", server_assignor="range")
    room.join("b", "left", "right", server_assignor="range")
    for target in room.group.target.values():
        assert {topic for topic, _ in target} == {topic for topic, _ in owned("left", 0) | owned("right", 0)}


VALID = {"owned": NOTHING, "rebalance_timeout_ms": 1, "subscribed_topic_names": ("topic",)}


@pytest.mark.parametrize(
    ("heartbeat", "error", "message"),
    [
        (Heartbeat(GROUP, "a", 0, **VALID), None, ""),
        (Heartbeat(GROUP, "a", 1), None, ""),
        (Heartbeat(GROUP, "a", AWAY, instance_id="one"), None, ""),
        (Heartbeat(GROUP, "", 0, **VALID), ErrorCode.invalid_request, "MemberId can't be empty."),
        (Heartbeat("", "a", 1), ErrorCode.invalid_request, "GroupId can't be empty."),
        (Heartbeat(GROUP, "a", 1, instance_id=""), ErrorCode.invalid_request, "InstanceId can't be empty."),
        (Heartbeat(GROUP, "a", 1, rack_id=""), ErrorCode.invalid_request, "RackId can't be empty."),
        (Heartbeat(GROUP, "a", -3), ErrorCode.invalid_request, "MemberEpoch is invalid."),
        (Heartbeat(GROUP, "a", AWAY), ErrorCode.invalid_request, "InstanceId can't be null."),
        (
            Heartbeat(GROUP, "a", 0, **VALID | {"rebalance_timeout_ms": -1}),
            ErrorCode.invalid_request,
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            Heartbeat(GROUP, "a", 0, **VALID | {"owned": owned("topic", 0)}),
            ErrorCode.invalid_request,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            Heartbeat(GROUP, "a", 0, **VALID | {"subscribed_topic_names": None}),
            ErrorCode.invalid_request,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (
            Heartbeat(GROUP, "a", 1, server_assignor="best"),
            ErrorCode.unsupported_assignor,
            "ServerAssignor best is not supported. Supported assignors: uniform, range.",
        ),
    ],
)
def test_requests_that_are_wrong_by_themselves(heartbeat: Heartbeat, error: ErrorCode | None, message: str) -> None:
    refused = problem(heartbeat, needs_member_id=True)
    assert refused == (Refused(error, message) if error else None)


def test_before_version_1_the_coordinator_gives_ids() -> None:
    assert problem(Heartbeat(GROUP, "", 0, **VALID), needs_member_id=False) is None
    assert problem(Heartbeat(GROUP, "", 1), needs_member_id=False) is not None
