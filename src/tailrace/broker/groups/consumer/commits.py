"""Which members of a consumer group may commit and fetch offsets.

A member that is behind may still commit what it has had since the epoch that it names, and has not given up (KIP-1251);
so a commit under way during a rebalance is not lost.
"""

from __future__ import annotations

from collections.abc import Callable

from kio.schema.errors import ErrorCode

from tailrace.broker.groups.consumer.group import ConsumerGroup
from tailrace.broker.groups.consumer.member import Member, TopicPartition

PartitionCheck = Callable[[TopicPartition], ErrorCode]


def commit_check(
    group: ConsumerGroup,
    member_id: str,
    member_epoch: int,
    instance_id: str | None,
    *,
    is_transactional: bool,
    tells_epoch: bool,
) -> PartitionCheck:
    """Whether offsets of a partition may be committed; `tells_epoch` from OffsetCommit version 9 on."""
    error = ErrorCode.none
    member = group.members.get(member_id)
    is_outsider = is_transactional and member_epoch == -1 and not member_id and instance_id is None
    if is_outsider or (member_epoch < 0 and not group.members):
        pass
    elif member is None:
        error = ErrorCode.unknown_member_id
    elif not is_transactional and not tells_epoch:
        error = ErrorCode.unsupported_version
    elif member_epoch > member.epoch:
        error = ErrorCode.stale_member_epoch
    elif member_epoch < member.epoch:
        behind = member
        return lambda partition: _check_behind(behind, member_epoch, partition)
    return lambda _: error


def _check_behind(member: Member, member_epoch: int, partition: TopicPartition) -> ErrorCode:
    since = member.assigned.get(partition, member.revoking.get(partition))
    return ErrorCode.none if since is not None and member_epoch >= since else ErrorCode.stale_member_epoch


def fetch_error(group: ConsumerGroup, member_id: str | None, member_epoch: int) -> ErrorCode:
    """Whether a member may fetch offsets; who does not name itself may."""
    if member_id is None and member_epoch < 0:
        return ErrorCode.none
    member = group.members.get(member_id or "")
    if member is None:
        return ErrorCode.unknown_member_id
    return ErrorCode.none if member.epoch == member_epoch else ErrorCode.stale_member_epoch
