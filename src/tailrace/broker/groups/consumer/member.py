"""A member of a consumer group, as it is at one moment; the journal and checkpoints store it like this."""

from __future__ import annotations

from enum import StrEnum

import msgspec

TopicPartition = tuple[bytes, int]
"""Id of a topic and index of a partition."""

JOINING = 0
"""The epoch of a member that joins, or joins again."""
LEAVING = -1
"""The epoch with which a member leaves for good."""
AWAY = -2
"""The epoch of a static member that left, and is expected back within its session."""


class MemberState(StrEnum):
    """How far a member is on its way to its target."""

    STABLE = "stable"
    """It has what it should have in its epoch."""

    UNREVOKED_PARTITIONS = "unrevoked-partitions"
    """It has to give up partitions, and stays in its epoch until it did."""

    UNRELEASED_PARTITIONS = "unreleased-partitions"
    """It waits for partitions that others have not given up yet."""


class Member(msgspec.Struct, array_like=True, frozen=True):
    """Who it is, what it subscribed to, and what it has.

    `assigned` and `revoking` give the member epoch in which each partition was assigned; until the member has given up
    the latter they are its own.
    """

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    subscribed_topic_names: tuple[str, ...] = ()
    subscribed_topic_regex: str = ""
    server_assignor: str | None = None
    epoch: int = JOINING
    previous_epoch: int = -1
    state: MemberState = MemberState.STABLE
    assigned: dict[TopicPartition, int] = {}
    revoking: dict[TopicPartition, int] = {}
    principal: str = ""

    def has_subscription_of(self, other: Member) -> bool:
        """Whether both subscribed to the same names and the same regular expression."""
        return (
            self.subscribed_topic_names == other.subscribed_topic_names
            and self.subscribed_topic_regex == other.subscribed_topic_regex
        )

    def is_reconciled_to(self, epoch: int) -> bool:
        """Whether the member has arrived at the assignment of an epoch."""
        return self.state is MemberState.STABLE and self.epoch == epoch
