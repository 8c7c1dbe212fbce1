"""The broker's state in memory, and the one way to change it: `Broker.record`.

A handler decides; what it decided is recorded as one frame: encoded for the journal and applied to the state at once,
without an `await` in between. So the order of the journal is the order in which things happened, and what depends on a
frame can become durable only together with it. Replies wait until the frames before them are durable.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from tailrace.broker import events
from tailrace.broker.append import Append
from tailrace.broker.checkpoint import Checkpoint, TopicSnapshot
from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.disk import Disk
from tailrace.broker.events import AnyEvent
from tailrace.broker.group_commit import GroupCommit
from tailrace.broker.groups.consumer.coordinator import ConsumerGroupCoordinator
from tailrace.broker.groups.consumer.state import ConsumerGroups
from tailrace.broker.groups.coordinator import GroupCoordinator
from tailrace.broker.groups.offsets import CommittedOffsets
from tailrace.broker.groups.snapshot import GroupSnapshot
from tailrace.broker.log.journal import Frame, JournaledBatch, encode_frame
from tailrace.broker.log.partition import PartitionLog, SegmentWrite
from tailrace.broker.log.segment import Segment
from tailrace.broker.metrics.counters import ConnectionCounters
from tailrace.broker.security.acls import Acls
from tailrace.broker.security.authorizer import Authorizer
from tailrace.broker.security.users import Users
from tailrace.broker.topics import Topic, Topics
from tailrace.broker.transactions.coordinator import TransactionCoordinator
from tailrace.broker.transactions.state import Transactions
from tailrace.wire.record_batch import parse_header, relocated

CALLED_AT_ONCE = 8
_encode = msgspec.msgpack.Encoder().encode


class State:
    """All that survives a restart, changed only by frames; `next_frame` is the number of the next one."""

    def __init__(
        self, disk: Disk, checkpoint: Checkpoint, topic_defaults: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.cluster_id = checkpoint.cluster_id
        self.next_frame = checkpoint.next_frame
        self.leader_epoch = checkpoint.leader_epoch
        self.next_producer_id = checkpoint.next_producer_id
        self.topics = Topics(disk, topic_defaults)
        self.offsets = CommittedOffsets()
        self.transactions = Transactions()
        self.groups = {group.group_id: group for group in checkpoint.groups}
        self.users = Users(checkpoint.credentials)
        self.acls = Acls(checkpoint.acls)
        self.consumer_groups = ConsumerGroups(checkpoint.consumer_groups)
        self.group_configs = dict(checkpoint.group_configs)
        # Files of the journal that were read because no checkpoint covers them.
        self.files_behind = 0
        # Files that a stop or a crash kept from being removed; the next checkpoint will not speak of them.
        self.obsolete_files: list[str] = []
        # Segments that were written again from the journal: durable only after the next checkpoint.
        self.replayed_segments: set[Segment] = set()
        for topic in checkpoint.topics:
            self.topics.add(topic)
        for group_id, rows in checkpoint.offsets.items():
            self.offsets.commit(events.OffsetsCommitted(group_id, rows))
        for producer_id, group_id, rows in checkpoint.pending_offsets:
            self.offsets.hold(events.OffsetsPending(producer_id, group_id, rows))
        for transaction in checkpoint.transactions:
            self.transactions.load(transaction)

    def checkpoint(self) -> Checkpoint:
        """Everything as of the last frame."""
        return Checkpoint(
            self.cluster_id,
            self.next_frame,
            self.leader_epoch,
            self.next_producer_id,
            [topic.snapshot() for topic in self.topics],
            {group_id: list(rows.values()) for group_id, rows in self.offsets.committed.items()},
            [
                (producer_id, group_id, list(rows.values()))
                for producer_id, groups in self.offsets.pending.items()
                for group_id, rows in groups.items()
            ],
            [transaction.snapshot() for transaction in self.transactions],
            list(self.groups.values()),
            list(self.users),
            list(self.acls),
            [group.snapshot() for group in self.consumer_groups],
            dict(self.group_configs),
        )

    def append(self, batch: JournaledBatch) -> tuple[PartitionLog, SegmentWrite] | None:
        """Append a batch that carries its offset; None when its topic has been deleted."""
        topic = self.topics.by_id(batch.topic_id)
        partition_log = topic.partition(batch.partition) if topic else None
        if partition_log is None:
            return None
        data = bytes(batch.data)
        return partition_log, partition_log.append(parse_header(data), (data,))

    def apply(self, event: AnyEvent) -> None:
        """Take in one event."""
        match event:
            case events.OffsetsCommitted():
                self.offsets.commit(event)
            case events.OffsetsPending():
                self.offsets.hold(event)
            case events.OffsetsDeleted():
                self.offsets.delete(event)
            case events.GroupSettled():
                self._settle_group(event.group)
            case events.GroupDeleted():
                self.groups.pop(event.group_id, None)
                self.consumer_groups.delete(event.group_id)
                self.offsets.delete_group(event)
            case events.GroupConfigured():
                self.group_configs[event.group_id] = event.configs
            case events.ConsumerGroupEvent():
                self.groups.pop(event.group_id, None)  # an empty classic group gave way
                self.consumer_groups.apply(event)
            case events.PartitionsAddedToTransaction():
                self.transactions.add_partitions(event)
            case events.GroupAddedToTransaction():
                self.transactions.add_group(event)
            case events.TransactionEnded():
                self.transactions.end(event)
                self.offsets.end_transaction(event.producer_id, committed=event.committed)
            case events.ProducerInitialized():
                self.transactions.initialize(event)
                self.next_producer_id = max(self.next_producer_id, event.producer_id + 1)
            case events.TransactionalIdForgotten():
                self.transactions.forget(event)
            case events.ProducerIdAllocated():
                self.next_producer_id = max(self.next_producer_id, event.producer_id + 1)
            case events.CredentialSet():
                self.users.set(event.credential)
            case events.CredentialDeleted():
                self.users.delete(event.user, event.mechanism)
            case events.AclsCreated():
                self.acls.add(event.bindings)
            case events.AclsDeleted():
                self.acls.remove(event.bindings)
            case _:
                self._apply_to_topic(event)

    def _settle_group(self, group: GroupSnapshot) -> None:
        if group.members:
            self.groups[group.group_id] = group
        else:
            self.groups.pop(group.group_id, None)

    def _apply_to_topic(self, event: AnyEvent) -> None:
        match event:
            case events.TopicCreated():
                topic = self.topics.add(TopicSnapshot(event.name, event.topic_id, event.configs, []))
                self.topics.grow(topic, event.partition_count)
            case events.TopicDeleted():
                self.offsets.delete_topic(self.topics.remove(event.topic_id).name)
            case events.PartitionsAdded():
                self.topics.grow(self._topic(event.topic_id), event.partition_count)
            case events.TopicConfigured():
                self._topic(event.topic_id).configure(event.configs)
            case events.LogStartMoved():
                self._topic(event.topic_id).partitions[event.partition].move_start(event.offset)
            case _:
                raise TypeError(f"no rule applies {event!r}; add one to State.apply")

    def _topic(self, topic_id: bytes) -> Topic:
        topic = self.topics.by_id(topic_id)
        assert topic is not None, f"an event names the topic id {topic_id.hex()}, which does not exist"
        return topic


class Reader(ABC):
    """Somebody who waits for more records, perhaps only for committed ones."""

    def __init__(self, *, committed_only: bool) -> None:
        self.committed_only = committed_only
        self.is_called = False

    @abstractmethod
    def look(self) -> None:
        """Called soon after there are more; not again before `is_called` is taken back."""


class Broker:
    """State, durability and coordinators of one running broker."""

    def __init__(
        self,
        config: BrokerConfig,
        disk: Disk,
        state: State,
        on_failure: Callable[[BaseException], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.config = config
        self.disk = disk
        self.state = state
        self.now_ms = now_ms
        self.advertised_host = config.advertised_host or config.host
        self.port = config.port
        self.commit = GroupCommit(
            disk,
            state.next_frame,
            sync=config.flush is Flush.FSYNC,
            snapshot=lambda: _encode(state.checkpoint()),
            on_failure=on_failure,
            changed_segments=state.replayed_segments,
            files_behind=state.files_behind,
        )
        self.commit.advanced = self._wake_readers
        self.connection_counters = ConnectionCounters()
        self.groups = GroupCoordinator(self)
        self.consumer_groups = ConsumerGroupCoordinator(self)
        self.transactions = TransactionCoordinator(self)
        # None lets everybody do everything.
        self.authorizer = (
            Authorizer(
                state.acls,
                config.super_users,
                allow_everyone_if_no_acl_found=config.allow_everyone_if_no_acl_found,
            )
            if config.acls
            else None
        )
        self._readers: dict[PartitionLog, set[Reader]] = {}
        self._called: deque[Reader] = deque()
        self.loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self.loop = asyncio.get_running_loop()
        self.commit.start()
        self.commit.remove_later(self.state.obsolete_files)
        self.groups.load(self.state.groups.values())
        self.consumer_groups.load()
        for transaction in self.state.transactions:
            transaction.may_lack_additions = True

    def record(self, appends: Iterable[Append] = (), events: Sequence[AnyEvent] = ()) -> list[int]:
        """Make something happen: batches are appended, then events applied, all or nothing.

        Gives the base offsets of the batches. It is durable when `commit.recorded_frame` is.
        """
        batches, writes, logs, base_offsets = [], [], [], []
        for topic, partition, batch in appends:
            partition_log = topic.partitions[partition]
            base_offset = partition_log.log_end_offset
            header, parts = relocated(batch, base_offset, self.state.leader_epoch)
            writes.append(partition_log.append(header, parts))
            batches.append(JournaledBatch(topic.id, partition, parts))
            logs.append(partition_log)
            base_offsets.append(base_offset)
            topic.appended_bytes += header.size
        frame = encode_frame(Frame(self.state.next_frame, batches, events), self.commit.known_durable_frame)
        for event in events:
            self.state.apply(event)
        self.state.next_frame += 1
        self.commit.add(frame, writes, logs)
        return base_offsets

    def watch(self, logs: Iterable[PartitionLog], reader: Reader) -> None:
        """Wake the reader whenever one of the logs has more for it than before, or is deleted."""
        for partition_log in logs:
            self._readers.setdefault(partition_log, set()).add(reader)

    def unwatch(self, logs: Iterable[PartitionLog], reader: Reader) -> None:
        """Undo `watch`."""
        for partition_log in logs:
            readers = self._readers.get(partition_log, set())
            readers.discard(reader)
            if not readers:
                self._readers.pop(partition_log, None)

    def _wake_readers(self, advanced: Mapping[PartitionLog, bool]) -> None:
        is_calling = bool(self._called)
        for partition_log, has_committed in advanced.items():
            for reader in self._readers.get(partition_log, ()):
                if not reader.is_called and (has_committed or not reader.committed_only):
                    reader.is_called = True
                    self._called.append(reader)
        if self._called and not is_calling:
            self.loop.call_soon(self._call_readers)

    def _call_readers(self) -> None:
        """Let a few readers look, and the others when those have been answered: nobody need wait for all."""
        for _ in range(min(len(self._called), CALLED_AT_ONCE)):
            self._called.popleft().look()
        if self._called:
            self.loop.call_soon(self._call_readers)

    def move_log_start(self, topic: Topic, partition: int, offset: int) -> None:
        """Give up the records of a partition before an offset."""
        partition_log = topic.partitions[partition]
        before = set(partition_log.segments)
        self.record(events=[events.LogStartMoved(topic.id, partition, offset)])
        dropped = before.difference(partition_log.segments)
        self.commit.remove_later(name for segment in dropped for name in (segment.log_name, segment.index_name))

    def delete_files(self, topic: Topic) -> None:
        """Remove a deleted topic's files when no checkpoint needs them any more, and wake who reads it."""
        self.commit.remove_later([topic.directory])
        self._wake_readers(dict.fromkeys(topic.partitions, True))
