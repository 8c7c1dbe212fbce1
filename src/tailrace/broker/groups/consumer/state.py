"""All consumer groups as of the last frame of the journal; events alone change them, live and on replay alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tailrace.broker import events
from tailrace.broker.groups.consumer.group import ConsumerGroup, ConsumerGroupSnapshot


class ConsumerGroups:
    """The groups by id; one without members stays until it is deleted or gives way to a classic group."""

    def __init__(self, snapshots: Iterable[ConsumerGroupSnapshot] = ()) -> None:
        self._by_id = {snapshot.group_id: ConsumerGroup.load(snapshot) for snapshot in snapshots}

    def __iter__(self) -> Iterator[ConsumerGroup]:
        return iter(self._by_id.values())

    def __getitem__(self, group_id: str) -> ConsumerGroup:
        return self._by_id[group_id]

    def get(self, group_id: str) -> ConsumerGroup | None:
        """The group with an id."""
        return self._by_id.get(group_id)

    def delete(self, group_id: str) -> None:
        """Forget a group, if there is one."""
        self._by_id.pop(group_id, None)

    def apply(self, event: events.ConsumerGroupEvent) -> None:
        """Take in one event; the first one of a group begins its epoch."""
        if isinstance(event, events.ConsumerGroupEpochBumped):
            group = self._by_id.setdefault(event.group_id, ConsumerGroup(event.group_id))
            group.bump(event.epoch, event.metadata_hash)
            return
        group = self._by_id[event.group_id]
        match event:
            case events.ConsumerGroupMemberChanged():
                group.put(event.member, event.replaced_id)
            case events.ConsumerGroupMemberRemoved():
                group.remove(event.member_id)
            case events.ConsumerGroupAssigned():
                group.assign(event.epoch, event.changed)
            case events.ConsumerGroupConverted():
                self.delete(event.group_id)
            case _:
                raise TypeError(f"no rule applies {event!r}; add one to ConsumerGroups.apply")
