"""The coordinator of consumer groups: it decides on heartbeats, records what follows, and notices who is silent.

Everything about a group is durable, so that members go on after a restart of the broker as if nothing had happened;
only their sessions begin anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakKeyDictionary

from kio.schema.errors import ErrorCode

from tailrace.broker.events import (
    AnyEvent,
    ConsumerGroupConverted,
    ConsumerGroupMemberChanged,
    ConsumerGroupMemberRemoved,
    GroupDeleted,
)
from tailrace.broker.groups import configs
from tailrace.broker.groups.consumer.decisions import decide_heartbeat, decide_leave, decide_removal
from tailrace.broker.groups.consumer.group import ConsumerGroup
from tailrace.broker.groups.consumer.heartbeat import Accepted, Heartbeat, Refused
from tailrace.broker.groups.consumer.member import JOINING, Member, MemberState
from tailrace.broker.groups.consumer.metadata import Metadata, TopicMetadata
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

MemberKey = tuple[str, str]
"""Id of a group and id of a member."""


class ConsumerGroupCoordinator:
    """Heartbeats and timers of all consumer groups."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._metadata = Metadata()
        # Of the topics, and of the ACLs that say who may know of them.
        self._metadata_version = (-1, -1)
        # The version for which each group is known to have the right epoch.
        self._checked_version: WeakKeyDictionary[ConsumerGroup, tuple[int, int]] = WeakKeyDictionary()
        self._sessions: dict[MemberKey, asyncio.TimerHandle] = {}
        self._revocations: dict[MemberKey, asyncio.TimerHandle] = {}

    def load(self) -> None:
        """Take over the groups of before a restart; their members have a whole session to be heard of.

        Groups that nobody left anything in are forgotten, as Kafka does after a while.
        """
        groups = self._broker.state.consumer_groups
        for group in groups:
            for member in group.members.values():
                self._expect_heartbeat(group.group_id, member.member_id)
                self._expect_revocation(group.group_id, member)
        offsets = self._broker.state.offsets
        unused = [group.group_id for group in groups if not group.members and not offsets.has(group.group_id)]
        self._record([GroupDeleted(group_id) for group_id in unused])

    # -- heartbeats ----------------------------------------------------------------------------------------------

    def heartbeat(self, heartbeat: Heartbeat) -> Accepted | Refused:
        """Let a member join, lead it on, or let it go; what follows is recorded."""
        group = self._group_for(heartbeat)
        if isinstance(group, Refused):
            return group
        metadata = self._current_metadata()
        version = self._metadata_version
        if heartbeat.member_epoch < JOINING:
            decision = decide_leave(group, heartbeat, metadata)
        else:
            decision = decide_heartbeat(
                group,
                heartbeat if heartbeat.member_id else replace(heartbeat, member_id=str(uuid4())),
                metadata,
                topics_may_differ=self._checked_version.get(group) != version,
                members_max=self._broker.config.group_consumer_max_size,
            )
        if isinstance(decision, Refused):
            return decision
        self._record(decision.events)
        if heartbeat.member_epoch >= JOINING:
            self._checked_version[self._broker.state.consumer_groups[group.group_id]] = version
            self._expect_heartbeat(group.group_id, decision.member_id)
        return decision

    def _group_for(self, heartbeat: Heartbeat) -> ConsumerGroup | Refused:
        """The group, or a new one for a member that joins; an empty classic group gives way to it."""
        group_id = heartbeat.group_id
        group = self._broker.state.consumer_groups.get(group_id)
        if group is not None:
            return group
        if heartbeat.member_epoch != JOINING:
            return Refused(ErrorCode.group_id_not_found, f"Consumer group {group_id} not found.")
        if self._broker.groups.delete(group_id) is not ErrorCode.none:
            message = f"Cannot upgrade classic group {group_id} to consumer group because online upgrade is disabled."
            return Refused(ErrorCode.group_id_not_found, message)
        return ConsumerGroup(group_id)

    def _current_metadata(self) -> Metadata:
        topics, acls = self._broker.state.topics, self._broker.state.acls
        version = topics.version, acls.version
        if version != self._metadata_version:
            known = (TopicMetadata(topic.name, topic.id, len(topic.partitions)) for topic in topics)
            self._metadata = Metadata(known, self._may_describe)
            self._metadata_version = version
        return self._metadata

    def _may_describe(self, member: Member, topic: str) -> bool:
        authorizer = self._broker.authorizer
        address = member.client_host.removeprefix("/")
        return authorizer is None or authorizer.allows(
            member.principal, address, Operation.DESCRIBE, ResourceType.TOPIC, topic
        )

    # -- timers --------------------------------------------------------------------------------------------------

    def _record(self, events: Sequence[AnyEvent]) -> None:
        if events:
            self._broker.record(events=events)
        for event in events:
            match event:
                case ConsumerGroupMemberChanged():
                    if event.replaced_id is not None:
                        self._forget(event.group_id, event.replaced_id)
                    self._expect_revocation(event.group_id, event.member)
                case ConsumerGroupMemberRemoved():
                    self._forget(event.group_id, event.member_id)

    def _expect_heartbeat(self, group_id: str, member_id: str) -> None:
        """Expel a member that is not heard of for a session."""
        timeout_ms = self.config(configs.SESSION_TIMEOUT_MS, group_id)
        self._schedule(self._sessions, group_id, member_id, timeout_ms)

    def _expect_revocation(self, group_id: str, member: Member) -> None:
        """Expel a member that does not give up partitions within its rebalance timeout."""
        _cancel(self._revocations, (group_id, member.member_id))
        if member.state is MemberState.UNREVOKED_PARTITIONS and member.revoking:
            self._schedule(self._revocations, group_id, member.member_id, member.rebalance_timeout_ms)

    def _schedule(
        self, timers: dict[MemberKey, asyncio.TimerHandle], group_id: str, member_id: str, timeout_ms: int
    ) -> None:
        _cancel(timers, (group_id, member_id))
        loop = asyncio.get_running_loop()
        timers[group_id, member_id] = loop.call_later(timeout_ms / 1000, self._expel, group_id, member_id)

    def _forget(self, group_id: str, member_id: str) -> None:
        _cancel(self._sessions, (group_id, member_id))
        _cancel(self._revocations, (group_id, member_id))

    def _expel(self, group_id: str, member_id: str) -> None:
        group = self._broker.state.consumer_groups.get(group_id)
        if group is not None and member_id in group.members:
            self._record(decide_removal(group, member_id, self._current_metadata()))

    # -- administration ------------------------------------------------------------------------------------------

    def config(self, name: str, group_id: str) -> int:
        """A configuration of a group, the broker's where the group has none."""
        return configs.value(name, self._broker.state.group_configs.get(group_id, {}), self._broker.config)

    def subscribed_topics(self, group: ConsumerGroup) -> set[str]:
        """Names of the topics that some member subscribed to."""
        metadata = self._current_metadata()
        members = group.members.values()
        return {topic.name for member in members for topic in metadata.subscribed(member).values()}

    def give_way(self, group_id: str) -> bool:
        """Make room for a classic group of that name; False while there are members."""
        group = self._broker.state.consumer_groups.get(group_id)
        if group is not None and not group.members:
            self._broker.record(events=[ConsumerGroupConverted(group_id)])
        return group is None or not group.members


def _cancel(timers: dict[MemberKey, asyncio.TimerHandle], key: MemberKey) -> None:
    timer = timers.pop(key, None)
    if timer is not None:
        timer.cancel()
