"""A consumer group of the classic protocol: members, generation, and which state may follow which.

Members wait in futures: `joining` for the end of a rebalance, `syncing` for the leader's assignment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kio.schema.errors import ErrorCode

from tailrace.broker.groups.snapshot import GroupSnapshot, MemberSnapshot


class GroupState(StrEnum):
    """Kafka's states, by the names that DescribeGroups gives."""

    EMPTY = "Empty"
    """No members. Joining begins a rebalance; offsets may be committed without a generation."""

    PREPARING_REBALANCE = "PreparingRebalance"
    """Waiting for members to join again. Heartbeats answer REBALANCE_IN_PROGRESS, commits are accepted."""

    COMPLETING_REBALANCE = "CompletingRebalance"
    """Waiting for the leader's assignment. Commits answer REBALANCE_IN_PROGRESS, SyncGroup waits."""

    STABLE = "Stable"
    """Everyone has an assignment. A change of members begins a rebalance."""

    DEAD = "Dead"
    """Deleted; nothing refers to it any more."""


PREVIOUS_STATES: Mapping[GroupState, frozenset[GroupState]] = {
    GroupState.EMPTY: frozenset({GroupState.PREPARING_REBALANCE}),
    GroupState.PREPARING_REBALANCE: frozenset({GroupState.EMPTY, GroupState.COMPLETING_REBALANCE, GroupState.STABLE}),
    GroupState.COMPLETING_REBALANCE: frozenset({GroupState.PREPARING_REBALANCE}),
    GroupState.STABLE: frozenset({GroupState.COMPLETING_REBALANCE}),
    GroupState.DEAD: frozenset(GroupState),
}

Protocols = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Joined:
    """Outcome of a join; `members` (id, instance id, metadata) is given to the leader only."""

    member_id: str
    error: ErrorCode = ErrorCode.none
    generation_id: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader_id: str = ""
    members: tuple[tuple[str, str | None, bytes], ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True)
class Synced:
    """Outcome of a sync."""

    error: ErrorCode = ErrorCode.none
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


@dataclass(eq=False)
class Member:
    """One member; `protocols` are its supported assignors with their metadata, in order of preference."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    joining: asyncio.Future[Joined] | None = None
    syncing: asyncio.Future[Synced] | None = None
    deadline: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether a request of the member is open; it needs no heartbeat then."""
        return self.joining is not None or self.syncing is not None

    def snapshot(self) -> MemberSnapshot:
        """What the journal stores."""
        return MemberSnapshot(
            self.member_id,
            self.instance_id,
            self.client_id,
            self.client_host,
            self.session_timeout_ms,
            self.rebalance_timeout_ms,
            self.protocols,
            self.assignment,
        )

    @classmethod
    def load(cls, snapshot: MemberSnapshot) -> Member:
        """The member that a snapshot describes."""
        return cls(
            snapshot.member_id,
            snapshot.instance_id,
            snapshot.client_id,
            snapshot.client_host,
            snapshot.session_timeout_ms,
            snapshot.rebalance_timeout_ms,
            snapshot.protocols,
            snapshot.assignment,
        )

    def metadata(self, protocol_name: str | None) -> bytes:
        """The member's metadata for a protocol, empty when it does not support it."""
        return next((metadata for name, metadata in self.protocols if name == protocol_name), b"")


@dataclass(eq=False)
class Group:
    """Members and generation of one group."""

    group_id: str
    state: GroupState = GroupState.EMPTY
    generation_id: int = 0
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader_id: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    pending_members: set[str] = field(default_factory=set)
    rebalance_timer: asyncio.TimerHandle | None = None
    rebalance_may_complete_at: float = 0.0

    def move_to(self, state: GroupState) -> None:
        """Change the state."""
        assert self.state in PREVIOUS_STATES[state], f"{self.group_id}: {self.state} cannot become {state}"
        self.state = state

    def add(self, member: Member) -> None:
        """Add a member; the first one becomes the leader."""
        if not self.members:
            self.leader_id = None
        self.members[member.member_id] = member
        self.pending_members.discard(member.member_id)
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        if self.leader_id is None:
            self.leader_id = member.member_id

    def remove(self, member: Member) -> None:
        """Remove a member; if it led the group, another one leads."""
        self.members.pop(member.member_id, None)
        if member.instance_id is not None and self.static_members.get(member.instance_id) == member.member_id:
            del self.static_members[member.instance_id]
        if self.leader_id == member.member_id:
            self.leader_id = next(iter(self.members), None)

    def rename(self, member: Member, member_id: str) -> None:
        """Give a static member that came back its new id (KIP-345)."""
        renamed = {member_id if key == member.member_id else key: value for key, value in self.members.items()}
        if self.leader_id == member.member_id:
            self.leader_id = member_id
        member.member_id = member_id
        self.members = renamed
        assert member.instance_id is not None
        self.static_members[member.instance_id] = member_id

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether someone with these protocols can be a member: one must be supported by all."""
        if not self.members:
            return bool(protocol_type) and bool(protocols)
        names = {name for name, _ in protocols}
        return protocol_type == self.protocol_type and bool(names & self.common_protocols())

    def common_protocols(self) -> set[str]:
        """Names of the protocols that all members support."""
        supported = [{name for name, _ in member.protocols} for member in self.members.values()]
        return set.intersection(*supported) if supported else set()

    def choose_protocol(self) -> str:
        """The common protocol that most members prefer."""
        common = self.common_protocols()
        votes = Counter(
            next(name for name, _ in member.protocols if name in common) for member in self.members.values()
        )
        return votes.most_common(1)[0][0]

    def snapshot(self) -> GroupSnapshot:
        """What the journal stores when a rebalance is over."""
        members = tuple(member.snapshot() for member in self.members.values())
        return GroupSnapshot(
            self.group_id, self.generation_id, self.protocol_type, self.protocol_name, self.leader_id, members
        )

    @classmethod
    def load(cls, snapshot: GroupSnapshot) -> Group:
        """The stable group that a snapshot describes."""
        group = cls(snapshot.group_id, GroupState.STABLE, snapshot.generation_id, snapshot.protocol_type)
        for stored in snapshot.members:
            group.add(Member.load(stored))
        group.protocol_name, group.leader_id = snapshot.protocol_name, snapshot.leader_id
        return group

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long a rebalance waits for members to join again."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)
