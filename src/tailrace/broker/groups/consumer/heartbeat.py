"""What a member says in a ConsumerGroupHeartbeat, what is wrong with it by itself, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kio.schema.errors import ErrorCode

from tailrace.broker.events import AnyEvent
from tailrace.broker.groups.consumer.assignors import ASSIGNORS
from tailrace.broker.groups.consumer.member import AWAY, JOINING, LEAVING, TopicPartition

UNCHANGED = -1
"""A rebalance timeout that is not told again."""


@dataclass(frozen=True)
class Heartbeat:
    """A request; None stands for what did not change since the last one, `owned` for what the member has now."""

    group_id: str
    member_id: str
    member_epoch: int
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = UNCHANGED
    subscribed_topic_names: tuple[str, ...] | None = None
    subscribed_topic_regex: str | None = None
    server_assignor: str | None = None
    owned: frozenset[TopicPartition] | None = None
    principal: str = ""

    @property
    def is_full(self) -> bool:
        """Whether it tells everything, as after an error; then it is told everything too."""
        tells_subscription = self.subscribed_topic_names is not None or self.subscribed_topic_regex is not None
        return self.rebalance_timeout_ms != UNCHANGED and tells_subscription and self.owned is not None


@dataclass(frozen=True)
class Refused:
    """An error and what to tell the client about it."""

    error: ErrorCode
    message: str


@dataclass(frozen=True)
class Accepted:
    """What follows from a heartbeat, and what to answer; `assignment` is None when the member knows it."""

    member_id: str
    member_epoch: int
    assignment: frozenset[TopicPartition] | None = None
    events: Sequence[AnyEvent] = ()


def problem(heartbeat: Heartbeat, *, needs_member_id: bool) -> Refused | None:
    """What is wrong with a request whatever the state of the group; `needs_member_id` from version 1 on."""
    epoch = heartbeat.member_epoch
    for name, is_empty in (
        ("MemberId", not heartbeat.member_id and (needs_member_id or epoch > 0 or epoch == LEAVING)),
        ("GroupId", not heartbeat.group_id),
        ("InstanceId", heartbeat.instance_id == ""),
        ("RackId", heartbeat.rack_id == ""),
    ):
        if is_empty:
            return Refused(ErrorCode.invalid_request, f"{name} can't be empty.")
    wrong = _problem_of_epoch(heartbeat)
    if wrong is not None:
        return Refused(ErrorCode.invalid_request, wrong)
    if heartbeat.server_assignor is not None and heartbeat.server_assignor not in ASSIGNORS:
        message = f"ServerAssignor {heartbeat.server_assignor} is not supported. Supported assignors: "
        return Refused(ErrorCode.unsupported_assignor, message + ", ".join(ASSIGNORS) + ".")
    return None


def _problem_of_epoch(heartbeat: Heartbeat) -> str | None:
    if heartbeat.member_epoch < AWAY:
        return "MemberEpoch is invalid."
    if heartbeat.member_epoch == AWAY and heartbeat.instance_id is None:
        return "InstanceId can't be null."
    if heartbeat.member_epoch == JOINING:
        if heartbeat.rebalance_timeout_ms == UNCHANGED:
            return "RebalanceTimeoutMs must be provided in first request."
        if heartbeat.owned is None or heartbeat.owned:
            return "TopicPartitions must be empty when (re-)joining."
        if heartbeat.subscribed_topic_names is None and heartbeat.subscribed_topic_regex is None:
            return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
    return None
