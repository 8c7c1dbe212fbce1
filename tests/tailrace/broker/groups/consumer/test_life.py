"""Members that join, leave, fall silent, lose replies and are slow to give up, while topics come and go.

Invariants: no partition is ever had by two members of the group; the journal gives the same group again. And when
everybody is let do its duty, the group comes to rest with every partition in one hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kio.schema.errors import ErrorCode

from tailrace.broker.groups.consumer.group import ConsumerGroupState
from tailrace.broker.groups.consumer.heartbeat import Accepted, Refused
from tailrace.broker.groups.consumer.member import AWAY, JOINING, LEAVING, TopicPartition

from .room import NOTHING, Room

NAMES = ("a", "b", "c")
ROUNDS_TO_REST = 12


@dataclass
class Consumer:
    """A client: what it reads now, what it was told to, and whether the coordinator has heard everything of it."""

    member_id: str
    instance_id: str | None
    names: tuple[str, ...]
    epoch: int = JOINING
    has: frozenset[TopicPartition] = NOTHING
    told: frozenset[TopicPartition] = NOTHING
    must_tell_all: bool = True

    def follow(self) -> None:
        """Do as told: first give up, then take."""
        self.has = self.told

    def give_up(self) -> None:
        self.has &= self.told


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.counts = {"a": 3, "b": 2}
        self.room = Room(**self.counts)
        self.consumers: list[Consumer] = []
        self.joined = 0

    consumer = st.runner().flatmap(lambda self: st.sampled_from(self.consumers))

    @precondition(lambda self: len(self.consumers) < 5)
    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1), instance=st.sampled_from([None, "one", "two"]))
    def join(self, names: set[str], instance: str | None) -> None:
        self.joined += 1
        consumer = Consumer(f"m{self.joined}", instance, tuple(names))
        if isinstance(self.beat(consumer), Accepted):
            self.consumers.append(consumer)

    @precondition(lambda self: self.consumers)
    @rule(consumer=consumer, is_reply_lost=st.booleans())
    def heartbeat(self, consumer: Consumer, is_reply_lost: bool) -> None:
        self.beat(consumer, is_reply_lost=is_reply_lost)

    @precondition(lambda self: self.consumers)
    @rule(consumer=consumer)
    def give_up(self, consumer: Consumer) -> None:
        consumer.give_up()

    @precondition(lambda self: self.consumers)
    @rule(consumer=consumer)
    def follow(self, consumer: Consumer) -> None:
        consumer.follow()

    @precondition(lambda self: self.consumers)
    @rule(consumer=consumer, names=st.sets(st.sampled_from(NAMES), min_size=1))
    def subscribe(self, consumer: Consumer, names: set[str]) -> None:
        consumer.names, consumer.must_tell_all = tuple(names), True

    @precondition(lambda self: self.consumers)
    @rule(consumer=consumer, is_back_soon=st.booleans())
    def leave(self, consumer: Consumer, is_back_soon: bool) -> None:
        epoch = AWAY if is_back_soon and consumer.instance_id is not None else LEAVING
        self.room.heartbeat(consumer.member_id, epoch, instance_id=consumer.instance_id)
        self.consumers.remove(consumer)

    @precondition(lambda self: self.room.group.members)
    @rule(data=st.data())
    def expel(self, data: st.DataObject) -> None:
        """A session ends; whoever is expelled has stopped reading, as its own session ended before."""
        member_id = data.draw(st.sampled_from(sorted(self.room.group.members)))
        self.room.expel(member_id)
        for consumer in self.consumers:
            if consumer.member_id == member_id:
                consumer.has = consumer.told = NOTHING

    @rule(name=st.sampled_from(NAMES), count=st.integers(0, 4))
    def change_topic(self, name: str, count: int) -> None:
        present = self.counts.get(name, 0)
        if count == 0:
            self.counts.pop(name, None)
        elif count > present:
            self.counts[name] = count
        self.room.change_topics(**self.counts)

    def beat(self, consumer: Consumer, *, is_reply_lost: bool = False) -> Accepted | Refused:
        told: dict[str, Any] = {}
        if consumer.must_tell_all or consumer.epoch == JOINING:
            told = {"subscribed_topic_names": consumer.names, "rebalance_timeout_ms": 1000, "owned": consumer.has}
            consumer.told &= consumer.has  # it said that it has no more, so it must not take more
        elif consumer.has == consumer.told:
            told = {"owned": consumer.has}
        answer = self.room.heartbeat(consumer.member_id, consumer.epoch, instance_id=consumer.instance_id, **told)
        if is_reply_lost:
            consumer.must_tell_all = True
        elif isinstance(answer, Accepted):
            consumer.must_tell_all = False
            consumer.epoch = answer.member_epoch
            if answer.assignment is not None:
                consumer.told = answer.assignment
        elif answer.error in (ErrorCode.fenced_member_epoch, ErrorCode.unknown_member_id):
            consumer.epoch, consumer.has, consumer.told = JOINING, NOTHING, NOTHING
        elif consumer in self.consumers:
            self.consumers.remove(consumer)  # another one has its instance id: it ends
        return answer

    @invariant()
    def no_partition_is_had_by_two(self) -> None:
        present = [consumer for consumer in self.consumers if consumer.member_id in self.room.group.members]
        had = [partition for consumer in present for partition in consumer.has]
        assert len(had) == len(set(had)), had

    @invariant()
    def what_a_member_has_is_its_own(self) -> None:
        for consumer in self.consumers:
            for partition in consumer.has if consumer.member_id in self.room.group.members else ():
                assert self.room.group.owners.get(partition) == consumer.member_id

    def teardown(self) -> None:
        """Members that nobody plays are expelled; the others do what they are told, and all comes to rest."""
        played = {consumer.member_id for consumer in self.consumers}
        for member_id in self.room.group.members.keys() - played:
            self.room.expel(member_id)
        for _ in range(ROUNDS_TO_REST):
            for consumer in list(self.consumers):
                self.beat(consumer)
                consumer.follow()
                self.no_partition_is_had_by_two()
        expected = ConsumerGroupState.STABLE if self.consumers else ConsumerGroupState.EMPTY
        assert self.room.group.state is expected
        wanted = {name for consumer in self.consumers for name in consumer.names}
        everything = {
            (topic.topic_id, index)
            for name, topic in self.room.topics.items()
            if name in wanted
            for index in range(topic.partition_count)
        }
        assert {partition for consumer in self.consumers for partition in consumer.has} == everything
        events = len(self.room.history)
        for consumer in self.consumers:
            self.beat(consumer)
        assert len(self.room.history) == events, "at rest, heartbeats record nothing"
        self.room.assert_replayable()


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
