"""What follows from a heartbeat, a departure or a silence: pure functions from a group to events.

They follow Kafka's GroupMetadataManager, with two differences that clients cannot be hurt by: regular expressions are
matched at once, and a static member is not shut out by itself when it joins again under its own id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kio.schema.errors import ErrorCode
from msgspec.structs import replace

from tailrace.broker.events import (
    AnyEvent,
    ConsumerGroupAssigned,
    ConsumerGroupEpochBumped,
    ConsumerGroupMemberChanged,
    ConsumerGroupMemberRemoved,
)
from tailrace.broker.groups.consumer.assignors import ASSIGNORS
from tailrace.broker.groups.consumer.group import Assignment, ConsumerGroup, preferred_assignor
from tailrace.broker.groups.consumer.heartbeat import UNCHANGED, Accepted, Heartbeat, Refused
from tailrace.broker.groups.consumer.member import AWAY, JOINING, Member
from tailrace.broker.groups.consumer.metadata import InvalidRegularExpression, Metadata, compile_regex, fingerprint
from tailrace.broker.groups.consumer.reconciliation import reconcile

NOTHING: Assignment = frozenset()
FIRST_EPOCH = 1


def decide_heartbeat(
    group: ConsumerGroup, heartbeat: Heartbeat, metadata: Metadata, *, topics_may_differ: bool, members_max: int
) -> Accepted | Refused:
    """Take a member in, or lead it on; `topics_may_differ` since the group's epoch was begun."""
    if len(group.members) >= members_max and heartbeat.member_id not in group.members:
        message = f"The consumer group has reached its maximum capacity of {members_max} members."
        return Refused(ErrorCode.group_max_size_reached, message)
    found = _find(group, heartbeat)
    if isinstance(found, Refused):
        return found
    present, replaced_id = found
    member = _update(present, heartbeat)
    if member.subscribed_topic_regex != present.subscribed_topic_regex:
        try:
            compile_regex(member.subscribed_topic_regex)
        except InvalidRegularExpression as error:
            return Refused(ErrorCode.invalid_regular_expression, str(error))

    events: list[AnyEvent] = []
    has_new_subscription = not member.has_subscription_of(present)
    epoch = group.epoch or FIRST_EPOCH
    metadata_hash = group.metadata_hash
    if topics_may_differ or has_new_subscription:
        metadata_hash = _fingerprint(_with(group, member, replaced_id).values(), metadata)
        epoch += has_new_subscription or metadata_hash != group.metadata_hash
    if epoch != group.epoch:
        events.append(ConsumerGroupEpochBumped(group.group_id, epoch, metadata_hash))

    target = group.target.get(replaced_id or member.member_id, NOTHING)
    assigned: list[AnyEvent] = []
    if epoch > group.assignment_epoch:
        targets = _assign(_with(group, member, replaced_id), _present_targets(group, member, replaced_id), metadata)
        changed = {key: value for key, value in targets.items() if value != group.target.get(key)}
        assigned.append(ConsumerGroupAssigned(group.group_id, epoch, changed))
        target = targets[member.member_id]

    if has_new_subscription or not member.is_reconciled_to(epoch):
        subscribed = metadata.subscribed(member).keys()
        member = reconcile(
            member,
            epoch,
            target,
            subscribed,
            group.owners.get,
            heartbeat.owned,
            has_new_subscription=has_new_subscription,
        )
    if member != group.members.get(member.member_id):
        events.append(ConsumerGroupMemberChanged(group.group_id, member, replaced_id))
    is_told = (
        heartbeat.member_epoch == JOINING or heartbeat.is_full or member.assigned.keys() != present.assigned.keys()
    )
    assignment = frozenset(member.assigned) if is_told else None
    return Accepted(member.member_id, member.epoch, assignment, [*events, *assigned])


def decide_leave(group: ConsumerGroup, heartbeat: Heartbeat, metadata: Metadata) -> Accepted | Refused:
    """Let a member go; a static one may keep its place for its session."""
    found = _find_known(group, heartbeat)
    if isinstance(found, Refused):
        return found
    if heartbeat.member_epoch == AWAY:
        away = replace(found, epoch=AWAY, revoking={})
        events: list[AnyEvent] = [ConsumerGroupMemberChanged(group.group_id, away)]
    else:
        events = decide_removal(group, found.member_id, metadata)
    return Accepted(found.member_id, heartbeat.member_epoch, None, events)


def decide_removal(group: ConsumerGroup, member_id: str, metadata: Metadata) -> list[AnyEvent]:
    """Remove a member that left, or was not heard of in time; what it had is free, and the group is assigned anew."""
    others = [member for member in group.members.values() if member.member_id != member_id]
    return [
        ConsumerGroupMemberRemoved(group.group_id, member_id),
        ConsumerGroupEpochBumped(group.group_id, group.epoch + 1, _fingerprint(others, metadata)),
    ]


def _find(group: ConsumerGroup, heartbeat: Heartbeat) -> tuple[Member, str | None] | Refused:
    """The member as it is now, or a new one; and the id of the static member that it takes the place of."""
    if heartbeat.member_epoch != JOINING:
        known = _find_known(group, heartbeat)
        return known if isinstance(known, Refused) else _fence(known, heartbeat) or (known, None)
    static = group.static_member(heartbeat.instance_id) if heartbeat.instance_id is not None else None
    if static is None or static.member_id == heartbeat.member_id:
        return group.members.get(heartbeat.member_id) or Member(heartbeat.member_id), None
    if static.epoch != AWAY:
        message = (
            f"Static member {heartbeat.member_id} with instance id {heartbeat.instance_id} cannot join the group "
            f"because the instance id is owned by {static.member_id} member."
        )
        return Refused(ErrorCode.unreleased_instance_id, message)
    successor = replace(static, member_id=heartbeat.member_id, epoch=JOINING, previous_epoch=JOINING)
    return successor, static.member_id


def _find_known(group: ConsumerGroup, heartbeat: Heartbeat) -> Member | Refused:
    if heartbeat.instance_id is None:
        member = group.members.get(heartbeat.member_id)
        message = f"Member {heartbeat.member_id} is not a member of group {group.group_id}."
        return member or Refused(ErrorCode.unknown_member_id, message)
    static = group.static_member(heartbeat.instance_id)
    if static is None:
        return Refused(ErrorCode.unknown_member_id, f"Instance id {heartbeat.instance_id} is unknown.")
    if static.member_id != heartbeat.member_id:
        message = (
            f"Static member {heartbeat.member_id} with instance id {heartbeat.instance_id} was fenced by member "
            f"{static.member_id}."
        )
        return Refused(ErrorCode.fenced_instance_id, message)
    return static


def _fence(member: Member, heartbeat: Heartbeat) -> Refused | None:
    """Refuse a member that is not in its epoch, unless it may not have heard of it and has nothing it must not have."""
    epoch = heartbeat.member_epoch
    if epoch == member.epoch:
        return None
    is_behind_by_a_reply = (
        epoch == member.previous_epoch
        and epoch < member.epoch
        and heartbeat.owned is not None
        and heartbeat.owned <= member.assigned.keys()
    )
    if is_behind_by_a_reply:
        return None
    relation = "greater" if epoch > member.epoch else "smaller"
    message = (
        f"The consumer group member has a {relation} member epoch ({epoch}) than the one known by the group "
        f"coordinator ({member.epoch}). The member must abandon all its partitions and rejoin."
    )
    return Refused(ErrorCode.fenced_member_epoch, message)


def _update(member: Member, heartbeat: Heartbeat) -> Member:
    """The member with what the heartbeat tells anew."""
    told: dict[str, Any] = {
        "instance_id": heartbeat.instance_id,
        "rack_id": heartbeat.rack_id,
        "client_id": heartbeat.client_id,
        "client_host": heartbeat.client_host,
        "subscribed_topic_regex": heartbeat.subscribed_topic_regex,
        "server_assignor": heartbeat.server_assignor,
        "principal": heartbeat.principal,
    }
    if heartbeat.subscribed_topic_names is not None:
        told["subscribed_topic_names"] = tuple(sorted(set(heartbeat.subscribed_topic_names)))
    if heartbeat.rebalance_timeout_ms != UNCHANGED:
        told["rebalance_timeout_ms"] = heartbeat.rebalance_timeout_ms
    changed = {key: value for key, value in told.items() if value is not None and value != getattr(member, key)}
    return replace(member, **changed) if changed else member


def _with(group: ConsumerGroup, member: Member, replaced_id: str | None) -> dict[str, Member]:
    others = {key: other for key, other in group.members.items() if key != replaced_id}
    return others | {member.member_id: member}


def _present_targets(group: ConsumerGroup, member: Member, replaced_id: str | None) -> dict[str, Assignment]:
    targets = dict(group.target)
    if replaced_id is not None:
        targets[member.member_id] = targets.pop(replaced_id, NOTHING)
    return targets


def _assign(
    members: Mapping[str, Member], present: Mapping[str, Assignment], metadata: Metadata
) -> dict[str, Assignment]:
    topics = {member.member_id: metadata.subscribed(member) for member in sorted(members.values(), key=_rank)}
    subscriptions = {member_id: frozenset(subscribed) for member_id, subscribed in topics.items()}
    counts = {key: topic.partition_count for subscribed in topics.values() for key, topic in subscribed.items()}
    return ASSIGNORS[preferred_assignor(members.values())](subscriptions, counts, present)


def _rank(member: Member) -> tuple[bool, str, str]:
    """Static members first: they keep their place in the order when they come back under another id."""
    return member.instance_id is None, member.instance_id or "", member.member_id


def _fingerprint(members: Collection[Member], metadata: Metadata) -> bytes:
    return fingerprint({topic for member in members for topic in metadata.subscribed(member).values()})
