"""A consumer group: its members, its target assignment, and who has which partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from tailrace.broker.groups.consumer.assignors import DEFAULT_ASSIGNOR
from tailrace.broker.groups.consumer.member import Member, TopicPartition

Assignment = frozenset[TopicPartition]


class ConsumerGroupState(StrEnum):
    """Kafka's states, by the names that ListGroups and ConsumerGroupDescribe give."""

    EMPTY = "Empty"
    """No members; offsets may be committed without an epoch."""

    ASSIGNING = "Assigning"
    """The target assignment of the present group epoch is not computed yet."""

    RECONCILING = "Reconciling"
    """Some member is on its way to its target."""

    STABLE = "Stable"
    """Every member has its target."""


class ConsumerGroupSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """A group as a checkpoint stores it."""

    group_id: str
    epoch: int
    assignment_epoch: int
    metadata_hash: bytes
    members: tuple[Member, ...]
    target: dict[str, Assignment]


class ConsumerGroup:
    """Changed by events only; `owners` and `static_members` follow from the members."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 0
        self.assignment_epoch = 0
        self.metadata_hash = b""
        self.members: dict[str, Member] = {}
        self.target: dict[str, Assignment] = {}
        self.owners: dict[TopicPartition, str] = {}
        self.static_members: dict[str, str] = {}

    @property
    def state(self) -> ConsumerGroupState:
        """Where the group stands."""
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.assignment_epoch:
            return ConsumerGroupState.ASSIGNING
        if all(member.is_reconciled_to(self.assignment_epoch) for member in self.members.values()):
            return ConsumerGroupState.STABLE
        return ConsumerGroupState.RECONCILING

    def static_member(self, instance_id: str) -> Member | None:
        """The member with an instance id."""
        member_id = self.static_members.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def bump(self, epoch: int, metadata_hash: bytes) -> None:
        """Begin a group epoch."""
        self.epoch, self.metadata_hash = epoch, metadata_hash

    def put(self, member: Member, replaced_id: str | None = None) -> None:
        """Add a member, or change it; a static one may take over everything from its predecessor."""
        if replaced_id is not None:
            self.target[member.member_id] = self.target.get(replaced_id, frozenset())
            self.remove(replaced_id)
        self._release(self.members.get(member.member_id))
        self.members[member.member_id] = member
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        for partition in (*member.assigned, *member.revoking):
            owner = self.owners.setdefault(partition, member.member_id)
            assert owner == member.member_id, f"{self.group_id}: {partition} is given to {member}, but {owner} has it"

    def remove(self, member_id: str) -> None:
        """Take a member out; what it had is free."""
        self._release(self.members.pop(member_id))
        self.target.pop(member_id, None)

    def _release(self, member: Member | None) -> None:
        """Take back what a member has: partitions and instance id."""
        if member is None:
            return
        for partition in (*member.assigned, *member.revoking):
            del self.owners[partition]
        if self.static_members.get(member.instance_id or "") == member.member_id:
            del self.static_members[member.instance_id or ""]

    def assign(self, epoch: int, changed: dict[str, Assignment]) -> None:
        """Take a target assignment, of which only what changed is given."""
        self.assignment_epoch = epoch
        self.target.update(changed)

    def snapshot(self) -> ConsumerGroupSnapshot:
        """What a checkpoint stores."""
        return ConsumerGroupSnapshot(
            self.group_id,
            self.epoch,
            self.assignment_epoch,
            self.metadata_hash,
            tuple(self.members.values()),
            dict(self.target),
        )

    @classmethod
    def load(cls, snapshot: ConsumerGroupSnapshot) -> ConsumerGroup:
        """The group that a checkpoint describes."""
        group = cls(snapshot.group_id)
        group.bump(snapshot.epoch, snapshot.metadata_hash)
        for member in snapshot.members:
            group.put(member)
        group.assign(snapshot.assignment_epoch, snapshot.target)
        return group


def preferred_assignor(members: Iterable[Member]) -> str:
    """The assignor that most of those members ask for that ask for one."""
    asked_for = Counter(member.server_assignor for member in members if member.server_assignor)
    return asked_for.most_common(1)[0][0] if asked_for else DEFAULT_ASSIGNOR
