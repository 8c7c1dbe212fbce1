"""A group and its topics as a test drives them: decisions are taken and applied, without a broker."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from kio.schema.errors import ErrorCode

from tailrace.broker.events import AnyEvent, ConsumerGroupEvent
from tailrace.broker.groups.consumer.decisions import decide_heartbeat, decide_leave, decide_removal
from tailrace.broker.groups.consumer.group import ConsumerGroup, ConsumerGroupSnapshot
from tailrace.broker.groups.consumer.heartbeat import Accepted, Heartbeat, Refused
from tailrace.broker.groups.consumer.member import Member, TopicPartition
from tailrace.broker.groups.consumer.metadata import Metadata, TopicMetadata
from tailrace.broker.groups.consumer.state import ConsumerGroups

GROUP = "group"
NOTHING: frozenset[TopicPartition] = frozenset()


def topic_id(name: str, generation: int = 1) -> bytes:
    return name.encode().ljust(15, b"\0") + bytes([generation])


def owned(topic: str, *indexes: int) -> frozenset[TopicPartition]:
    return frozenset((topic_id(topic), index) for index in indexes)


class Room:
    """One group among some topics, given as names with numbers of partitions."""

    def __init__(self, members_max: int = 100, **topics: int) -> None:
        self.state = ConsumerGroups()
        self.history: list[AnyEvent] = []
        self.members_max = members_max
        self.topics: dict[str, TopicMetadata] = {}
        self.created: Counter[str] = Counter()
        self.change_topics(**topics)

    def change_topics(self, **partition_counts: int) -> None:
        """The topics from now on; a deleted one that comes again is another one."""
        created = partition_counts.keys() - self.topics.keys()
        self.created.update(created)
        self.topics = {
            name: TopicMetadata(name, topic_id(name, self.created[name]), count)
            for name, count in partition_counts.items()
        }
        self.metadata = Metadata(self.topics.values())

    @property
    def group(self) -> ConsumerGroup:
        return self.state.get(GROUP) or ConsumerGroup(GROUP)

    def member(self, member_id: str) -> Member:
        return self.group.members[member_id]

    def heartbeat(self, member_id: str, epoch: int, **told: Any) -> Accepted | Refused:
        heartbeat = Heartbeat(GROUP, member_id, epoch, **told)
        if epoch < 0:
            decision = decide_leave(self.group, heartbeat, self.metadata)
        else:
            decision = decide_heartbeat(
                self.group, heartbeat, self.metadata, topics_may_differ=True, members_max=self.members_max
            )
        if isinstance(decision, Accepted):
            self.apply(decision.events)
        return decision

    def join(self, member_id: str, *names: str, **told: Any) -> Accepted:
        told = {"owned": NOTHING, "rebalance_timeout_ms": 1000, "subscribed_topic_names": names} | told
        return self.accepted(member_id, 0, **told)

    def accepted(self, member_id: str, epoch: int, **told: Any) -> Accepted:
        decision = self.heartbeat(member_id, epoch, **told)
        assert isinstance(decision, Accepted), decision
        return decision

    def error(self, member_id: str, epoch: int, **told: Any) -> ErrorCode:
        decision = self.heartbeat(member_id, epoch, **told)
        assert isinstance(decision, Refused), decision
        return decision.error

    def expel(self, member_id: str) -> None:
        self.apply(decide_removal(self.group, member_id, self.metadata))

    def apply(self, events: Any) -> None:
        for event in events:
            assert isinstance(event, ConsumerGroupEvent)
            self.state.apply(event)
            self.history.append(event)

    def assert_replayable(self) -> None:
        """The journal, read again, gives the same group; so does a checkpoint."""
        replayed = ConsumerGroups()
        encoded = msgspec.msgpack.encode(self.history)
        for event in msgspec.msgpack.decode(encoded, type=list[AnyEvent]):
            assert isinstance(event, ConsumerGroupEvent)
            replayed.apply(event)
        stored = [group.snapshot() for group in self.state]
        assert [group.snapshot() for group in replayed] == stored
        loaded = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=list[ConsumerGroupSnapshot])
        for before, after in zip(self.state, ConsumerGroups(loaded), strict=True):
            assert vars(after) == vars(before)
