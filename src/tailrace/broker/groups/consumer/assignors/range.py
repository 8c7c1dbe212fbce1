"""The range assignor: every topic by itself, as contiguous ranges in the order of the members.

Who had what does not count. So topics of one size with the same subscribers are always shared alike, also when one of
them was made later, and whoever joins them finds both sides of a partition in one place.
"""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.broker.groups.consumer.member import TopicPartition


def assign_range(
    subscriptions: Mapping[str, frozenset[bytes]],
    partition_counts: Mapping[bytes, int],
    present: Mapping[str, frozenset[TopicPartition]],
) -> dict[str, frozenset[TopicPartition]]:
    """Give each member its range of each of its topics; the first ones get the odd partitions."""
    subscribers: dict[bytes, list[str]] = {}
    for member_id, topics in subscriptions.items():
        for topic_id in topics:
            subscribers.setdefault(topic_id, []).append(member_id)
    assigned: dict[str, set[TopicPartition]] = {member_id: set() for member_id in subscriptions}
    for topic_id, member_ids in subscribers.items():
        quota, odd = divmod(partition_counts[topic_id], len(member_ids))
        start = 0
        for rank, member_id in enumerate(member_ids):
            end = start + quota + (rank < odd)
            assigned[member_id].update((topic_id, index) for index in range(start, end))
            start = end
    return {member_id: frozenset(partitions) for member_id, partitions in assigned.items()}
