"""What happens in a broker besides appended batches: the events of its journal.

An event says what was decided, never what was asked; applying it cannot fail. Topic ids are 16 bytes, offsets of a
group are tuples (topic, partition, offset, leader epoch, metadata, commit timestamp). Fields may only be added at the
end, with a default, so that an older journal can be read.
"""

from __future__ import annotations

import msgspec

from tailrace.broker.groups.consumer.member import Member, TopicPartition
from tailrace.broker.groups.snapshot import GroupSnapshot
from tailrace.broker.security.acls import AclBinding
from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import ScramCredential

OffsetRow = tuple[str, int, int, int, str, int]


class Event(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Base of all events."""


class TopicCreated(Event, frozen=True):
    """A topic exists from now on."""

    name: str
    topic_id: bytes
    partition_count: int
    configs: dict[str, str]


class TopicDeleted(Event, frozen=True):
    """A topic and its records are gone."""

    topic_id: bytes


class PartitionsAdded(Event, frozen=True):
    """A topic has more partitions now."""

    topic_id: bytes
    partition_count: int


class TopicConfigured(Event, frozen=True):
    """A topic's configuration, as far as it is not the default, is now this."""

    topic_id: bytes
    configs: dict[str, str]


class LogStartMoved(Event, frozen=True):
    """The records of a partition before an offset are gone."""

    topic_id: bytes
    partition: int
    offset: int


class OffsetsCommitted(Event, frozen=True):
    """A group committed offsets."""

    group_id: str
    offsets: list[OffsetRow]


class OffsetsDeleted(Event, frozen=True):
    """A group's offsets of some partitions, (topic, partition), are gone."""

    group_id: str
    partitions: list[tuple[str, int]]


class GroupSettled(Event, frozen=True):
    """A rebalance of a group is over: it is stable, or empty."""

    group: GroupSnapshot


class GroupDeleted(Event, frozen=True):
    """A group and its offsets are gone."""

    group_id: str


class GroupConfigured(Event, frozen=True):
    """A group's configuration, as far as it is not the default, is now this."""

    group_id: str
    configs: dict[str, str]


class ConsumerGroupEvent(Event, frozen=True):
    """Base of what happens to consumer groups (KIP-848)."""

    group_id: str


class ConsumerGroupEpochBumped(ConsumerGroupEvent, frozen=True):
    """The members of a consumer group or their topics are others: it needs a new target assignment."""

    epoch: int
    metadata_hash: bytes


class ConsumerGroupMemberChanged(ConsumerGroupEvent, frozen=True):
    """A member of a consumer group is new or different; a static one may take the place of another."""

    member: Member
    replaced_id: str | None = None


class ConsumerGroupMemberRemoved(ConsumerGroupEvent, frozen=True):
    """A member of a consumer group is gone."""

    member_id: str


class ConsumerGroupAssigned(ConsumerGroupEvent, frozen=True):
    """A consumer group has the target assignment of an epoch; only what is different is named, by member."""

    epoch: int
    changed: dict[str, frozenset[TopicPartition]]


class ConsumerGroupConverted(ConsumerGroupEvent, frozen=True):
    """A consumer group without members gave way to a classic group of the same name; the offsets are the latter's."""


class ProducerIdAllocated(Event, frozen=True):
    """A producer without transactional id was given this producer id."""

    producer_id: int


class ProducerInitialized(Event, frozen=True):
    """A transactional id has a new producer id or epoch, and no open transaction."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    previous_producer_id: int
    previous_producer_epoch: int
    initialized_ms: int = -1


class TransactionalIdForgotten(Event, frozen=True):
    """Nothing is known of a transactional id any more, because nobody has used it for long."""

    transactional_id: str


class PartitionsAddedToTransaction(Event, frozen=True):
    """A transaction may write to these partitions, (topic id, partition); the first event of its kind begins it."""

    transactional_id: str
    partitions: list[tuple[bytes, int]]
    started_ms: int


class GroupAddedToTransaction(Event, frozen=True):
    """A transaction may commit offsets of a group; the first event of its kind begins it."""

    transactional_id: str
    group_id: str
    started_ms: int


class OffsetsPending(Event, frozen=True):
    """Offsets that a group commits when the transaction of a producer id is committed."""

    producer_id: int
    group_id: str
    offsets: list[OffsetRow]


class TransactionEnded(Event, frozen=True):
    """A transaction was committed or aborted; its markers are in the same frame of the journal."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    committed: bool


class CredentialSet(Event, frozen=True):
    """A user has this credential for its mechanism from now on."""

    credential: ScramCredential


class CredentialDeleted(Event, frozen=True):
    """A user's credential for a mechanism is gone."""

    user: str
    mechanism: Mechanism


class AclsCreated(Event, frozen=True):
    """These ACLs hold from now on."""

    bindings: list[AclBinding]


class AclsDeleted(Event, frozen=True):
    """These ACLs are gone."""

    bindings: list[AclBinding]


AnyEvent = (
    TopicCreated
    | TopicDeleted
    | PartitionsAdded
    | TopicConfigured
    | LogStartMoved
    | OffsetsCommitted
    | OffsetsDeleted
    | GroupSettled
    | GroupDeleted
    | GroupConfigured
    | ConsumerGroupEpochBumped
    | ConsumerGroupMemberChanged
    | ConsumerGroupMemberRemoved
    | ConsumerGroupAssigned
    | ConsumerGroupConverted
    | ProducerIdAllocated
    | ProducerInitialized
    | TransactionalIdForgotten
    | PartitionsAddedToTransaction
    | GroupAddedToTransaction
    | OffsetsPending
    | TransactionEnded
    | CredentialSet
    | CredentialDeleted
    | AclsCreated
    | AclsDeleted
)
