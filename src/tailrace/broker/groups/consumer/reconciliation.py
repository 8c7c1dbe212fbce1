"""Leading one member from what it has to its target.

Follows the state machine of Kafka's CurrentAssignmentBuilder. In each of the member's heartbeats one step is taken: it
is told what to give up and stays in its epoch until it did; then it moves to the target's epoch with all partitions
that are free, and waits for those that others still have.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from msgspec.structs import replace

from tailrace.broker.groups.consumer.member import Member, MemberState, TopicPartition

OwnedBy = Callable[[TopicPartition], str | None]
"""The id of the member that has a partition, or has not given it up yet."""


def reconcile(
    member: Member,
    epoch: int,
    target: Set[TopicPartition],
    subscribed: Set[bytes],
    owner: OwnedBy,
    owned: Set[TopicPartition] | None,
    *,
    has_new_subscription: bool,
) -> Member:
    """The member's next step to the target of an epoch.

    `subscribed` are the ids of its topics; what it has of others it must give up. `owned` is what the member says it
    has, None when it did not say.
    """
    if member.state is MemberState.UNREVOKED_PARTITIONS and _still_has(owned, member.revoking):
        return _without_unsubscribed(member, subscribed, owned) if has_new_subscription else member
    if not member.is_reconciled_to(epoch):
        return _step(member, epoch, target, subscribed, owner, owned)
    return _without_unsubscribed(member, subscribed, owned) if has_new_subscription else member


def _still_has(owned: Set[TopicPartition] | None, revoking: dict[TopicPartition, int]) -> bool:
    return owned is None or not revoking.keys().isdisjoint(owned)


def _step(
    member: Member,
    epoch: int,
    target: Set[TopicPartition],
    subscribed: Set[bytes],
    owner: OwnedBy,
    owned: Set[TopicPartition] | None,
) -> Member:
    wanted = {partition for partition in target if partition[0] in subscribed}
    kept = {partition: since for partition, since in member.assigned.items() if partition in wanted}
    revoking = {partition: since for partition, since in member.assigned.items() if partition not in wanted}
    if revoking and _still_has(owned, revoking):
        return _moved(member, member.epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoking)
    missing = wanted - kept.keys()
    # What the member itself was giving up is free: nobody else can have it.
    free = {partition for partition in missing if owner(partition) in (None, member.member_id)}
    state = MemberState.STABLE if free == missing else MemberState.UNRELEASED_PARTITIONS
    return _moved(member, epoch, state, kept | dict.fromkeys(free, epoch), {})


def _without_unsubscribed(member: Member, subscribed: Set[bytes], owned: Set[TopicPartition] | None) -> Member:
    """Take away at once what the member does not subscribe to any more, without waiting for a new target."""
    gone = {partition: since for partition, since in member.assigned.items() if partition[0] not in subscribed}
    if not gone:
        return member
    kept = {partition: since for partition, since in member.assigned.items() if partition not in gone}
    revoking = member.revoking | gone
    if _still_has(owned, revoking):
        return _moved(member, member.epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoking)
    return _moved(member, member.epoch, member.state, kept, {})


def _moved(
    member: Member,
    epoch: int,
    state: MemberState,
    assigned: dict[TopicPartition, int],
    revoking: dict[TopicPartition, int],
) -> Member:
    # A heartbeat in the previous epoch is good as long as the member may not know of the present one.
    previous_epoch = member.previous_epoch if epoch == member.epoch else member.epoch
    return replace(
        member, epoch=epoch, previous_epoch=previous_epoch, state=state, assigned=assigned, revoking=revoking
    )
