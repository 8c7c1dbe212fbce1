"""Offsets that groups committed, and those that wait for the end of a transaction."""

from __future__ import annotations

from collections.abc import Iterable

from tailrace.broker.events import GroupDeleted, OffsetRow, OffsetsCommitted, OffsetsDeleted, OffsetsPending

Partition = tuple[str, int]
Rows = dict[Partition, OffsetRow]


class CommittedOffsets:
    """`committed[group][topic, partition]`, and `pending[producer id][group][topic, partition]`."""

    def __init__(self) -> None:
        self.committed: dict[str, Rows] = {}
        self.pending: dict[int, dict[str, Rows]] = {}

    def commit(self, event: OffsetsCommitted) -> None:
        """Take in what a group committed."""
        _merge(self.committed.setdefault(event.group_id, {}), event.offsets)

    def hold(self, event: OffsetsPending) -> None:
        """Keep offsets until the producer's transaction ends."""
        groups = self.pending.setdefault(event.producer_id, {})
        _merge(groups.setdefault(event.group_id, {}), event.offsets)

    def end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Commit or drop what was held for a producer."""
        for group_id, rows in self.pending.pop(producer_id, {}).items():
            if committed:
                self.committed.setdefault(group_id, {}).update(rows)

    def delete(self, event: OffsetsDeleted) -> None:
        """Forget some offsets of a group."""
        rows = self.committed.get(event.group_id, {})
        for partition in event.partitions:
            rows.pop(partition, None)

    def delete_group(self, event: GroupDeleted) -> None:
        """Forget a group."""
        self.committed.pop(event.group_id, None)

    def delete_topic(self, name: str) -> None:
        """Forget all offsets of a topic."""
        held = (rows for groups in self.pending.values() for rows in groups.values())
        for rows in (*self.committed.values(), *held):
            for partition in [key for key in rows if key[0] == name]:
                del rows[partition]

    def has(self, group_id: str) -> bool:
        """Whether a group committed offsets, or is going to."""
        return bool(self.committed.get(group_id)) or any(group_id in groups for groups in self.pending.values())

    def is_unstable(self, group_id: str, partition: Partition) -> bool:
        """Whether an open transaction is going to commit another offset."""
        return any(partition in groups.get(group_id, ()) for groups in self.pending.values())


def _merge(rows: Rows, offsets: Iterable[OffsetRow]) -> None:
    for row in offsets:
        rows[row[0], row[1]] = row
