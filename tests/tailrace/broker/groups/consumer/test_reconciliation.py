"""The way of one member to its target, step by step."""

import pytest

from tailrace.broker.groups.consumer.member import AWAY, Member, MemberState, TopicPartition
from tailrace.broker.groups.consumer.reconciliation import reconcile

TOPIC, OTHER = b"t" * 16, b"o" * 16
STABLE, UNREVOKED, UNRELEASED = MemberState.STABLE, MemberState.UNREVOKED_PARTITIONS, MemberState.UNRELEASED_PARTITIONS


def partitions(text: str) -> set[TopicPartition]:
    """ "1 2 o3" are partitions 1 and 2 of the topic and 3 of the other one."""
    return {(OTHER, int(name[1:])) if name.startswith("o") else (TOPIC, int(name)) for name in text.split()}


def member(state: MemberState, epoch: int, assigned: str = "", revoking: str = "") -> Member:
    since = dict.fromkeys(partitions(assigned), 1)
    giving_up = dict.fromkeys(partitions(revoking), 1)
    return Member("me", epoch=epoch, previous_epoch=epoch - 1, state=state, assigned=since, revoking=giving_up)


# state, epoch, assigned, revoking | target at epoch 5, taken by others, owned (None: not said), new subscription
# -> state, epoch, assigned, revoking
STEPS = {
    "nothing to do": (STABLE, 5, "1 2", "", "1 2", "", None, False, STABLE, 5, "1 2", ""),
    "the same target in a new epoch": (STABLE, 4, "1 2", "", "1 2", "", None, False, STABLE, 5, "1 2", ""),
    "a free partition comes": (STABLE, 4, "1", "", "1 2", "", None, False, STABLE, 5, "1 2", ""),
    "one comes, one is not released": (STABLE, 4, "1", "", "1 2 3", "3", None, False, UNRELEASED, 5, "1 2", ""),
    "nothing is released yet": (STABLE, 4, "1", "", "1 3", "3", None, False, UNRELEASED, 5, "1", ""),
    "it has to give up one": (STABLE, 4, "1 2", "", "1", "", None, False, UNREVOKED, 4, "1", "2"),
    "it gives up before it gets": (STABLE, 4, "1 2", "", "1 3", "", None, False, UNREVOKED, 4, "1", "2"),
    "it had given it up already": (STABLE, 4, "1 2", "", "1 3", "", "1", False, STABLE, 5, "1 3", ""),
    "it does not say what it has": (UNREVOKED, 4, "1", "2", "1 3", "", None, False, UNREVOKED, 4, "1", "2"),
    "it has not given up": (UNREVOKED, 4, "1", "2", "1 3", "", "1 2", False, UNREVOKED, 4, "1", "2"),
    "it gave up": (UNREVOKED, 4, "1", "2", "1 3", "", "1", False, STABLE, 5, "1 3", ""),
    "it gave up, another must go": (UNREVOKED, 3, "1 4", "2", "1", "", "1 4", False, UNREVOKED, 3, "1", "4"),
    "it gave up what it gets again": (UNREVOKED, 3, "1", "2", "1 2", "", "1", False, STABLE, 5, "1 2", ""),
    "it gave up, and waits": (UNREVOKED, 4, "1", "2", "1 3", "3", "1", False, UNRELEASED, 5, "1", ""),
    "still not released": (UNRELEASED, 5, "1", "", "1 3", "3", None, False, UNRELEASED, 5, "1", ""),
    "released": (UNRELEASED, 5, "1", "", "1 3", "", None, False, STABLE, 5, "1 3", ""),
    "released, of the next target": (UNRELEASED, 4, "1", "", "1 4", "3", None, False, STABLE, 5, "1 4", ""),
    "waiting, and it has to give up": (UNRELEASED, 4, "1 2", "", "1 3", "3", None, False, UNREVOKED, 4, "1", "2"),
    "a static member is back": (STABLE, AWAY, "1", "", "1", "", "", False, STABLE, 5, "1", ""),
    "a static member is back for less": (STABLE, AWAY, "1 2", "", "1", "", "", False, STABLE, 5, "1", ""),
    "unsubscribed in the target": (STABLE, 5, "1 o1", "", "1 o1", "", None, True, UNREVOKED, 5, "1", "o1"),
    "unsubscribed and given up": (STABLE, 5, "1 o1", "", "1 o1", "", "1", True, STABLE, 5, "1", ""),
    "subscribed anew, nothing is lost": (STABLE, 5, "1", "", "1", "", None, True, STABLE, 5, "1", ""),
    "unsubscribed while giving up": (UNREVOKED, 4, "1 o1", "2", "1", "", "1 2 o1", True, UNREVOKED, 4, "1", "2 o1"),
    "a target of a topic that is gone": (STABLE, 4, "1", "", "1 o1", "", None, False, STABLE, 5, "1", ""),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_one_step(
    step: tuple[MemberState, int, str, str, str, str, str | None, bool, MemberState, int, str, str],
) -> None:
    state, epoch, assigned, revoking, target, taken, owned, is_new, *expected = step
    before = member(state, epoch, assigned, revoking)
    owners = dict.fromkeys(partitions(taken), "other") | dict.fromkeys([*before.assigned, *before.revoking], "me")
    after = reconcile(
        before,
        5,
        partitions(target),
        {TOPIC},
        owners.get,
        None if owned is None else partitions(owned),
        has_new_subscription=is_new,
    )
    assert [after.state, after.epoch, set(after.assigned), set(after.revoking)] == [
        expected[0],
        expected[1],
        partitions(expected[2]),
        partitions(expected[3]),
    ]
    assert all(since == (1 if partition in before.assigned else 5) for partition, since in after.assigned.items())
    assert after.previous_epoch == (before.previous_epoch if after.epoch == before.epoch else before.epoch)
