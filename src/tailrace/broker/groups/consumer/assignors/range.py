"""The range assignor: every topic by itself, as contiguous ranges, so that topics of one size are co-partitioned."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.broker.groups.consumer.member import TopicPartition


def assign_range(
    subscriptions: Mapping[str, frozenset[bytes]],
    partition_counts: Mapping[bytes, int],
    present: Mapping[str, frozenset[TopicPartition]],
) -> dict[str, frozenset[TopicPartition]]:
    """Give each member its share of each of its topics; it keeps its lowest partitions."""
    subscribers: dict[bytes, list[str]] = {}
    for member_id in sorted(subscriptions):
        for topic_id in subscriptions[member_id]:
            subscribers.setdefault(topic_id, []).append(member_id)
    had = {member_id: _by_topic(partitions, partition_counts) for member_id, partitions in present.items()}
    assigned: dict[str, set[TopicPartition]] = {member_id: set() for member_id in subscriptions}
    for topic_id, member_ids in subscribers.items():
        topic_had = {member_id: had.get(member_id, {}).get(topic_id, []) for member_id in member_ids}
        for member_id, indexes in _share(partition_counts[topic_id], topic_had).items():
            assigned[member_id].update((topic_id, index) for index in indexes)
    return {member_id: frozenset(partitions) for member_id, partitions in assigned.items()}


def _by_topic(partitions: frozenset[TopicPartition], partition_counts: Mapping[bytes, int]) -> dict[bytes, list[int]]:
    """The partitions that still exist, in order."""
    topics: dict[bytes, list[int]] = {}
    for topic_id, index in sorted(partitions):
        if index < partition_counts.get(topic_id, 0):
            topics.setdefault(topic_id, []).append(index)
    return topics


def _share(partition_count: int, had: dict[str, list[int]]) -> dict[str, list[int]]:
    """Share one topic among its members; one that has an extra partition keeps it before others get one."""
    quota, extras = divmod(partition_count, len(had))
    with_extra = [member_id for member_id, indexes in had.items() if len(indexes) > quota][:extras]
    others = [member_id for member_id in had if member_id not in with_extra]
    with_extra += others[: extras - len(with_extra)]
    quotas = {member_id: quota + (member_id in with_extra) for member_id in had}
    shares = {member_id: indexes[: quotas[member_id]] for member_id, indexes in had.items()}
    taken = {index for indexes in shares.values() for index in indexes}
    free = [index for index in range(partition_count) if index not in taken]
    position = 0
    for member_id, indexes in shares.items():
        missing = quotas[member_id] - len(indexes)
        indexes += free[position : position + missing]
        position += missing
    return shares
