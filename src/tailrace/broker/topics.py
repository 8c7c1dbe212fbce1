"""Topics: names, ids, configurations and the logs of their partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from uuid import UUID

from tailrace.broker.checkpoint import TopicSnapshot
from tailrace.broker.disk import Disk
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.topic_configs import DEFAULTS

LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def is_legal_name(name: str) -> bool:
    """Whether Kafka allows the name for a topic."""
    return LEGAL_NAME.fullmatch(name) is not None and name not in (".", "..")


class Topic:
    """A topic; an id is never used again, so a topic that is made anew is a different one."""

    def __init__(self, disk: Disk, snapshot: TopicSnapshot, defaults: Mapping[str, str] = DEFAULTS) -> None:
        self.name = snapshot.name
        self.id = snapshot.topic_id
        self.uuid = UUID(bytes=snapshot.topic_id)
        self.directory = f"topics/{self.name}/{self.uuid}"
        self._disk = disk
        self._defaults = defaults
        self.appended_bytes = 0  # since the start
        self.partitions = [
            PartitionLog(disk, f"{self.directory}/{index}", partition)
            for index, partition in enumerate(snapshot.partitions)
        ]
        self.configure(snapshot.configs)

    def configure(self, configs: dict[str, str]) -> None:
        """Take other configurations; what is not named has its default."""
        self.configs = configs
        self.is_compacted = "compact" in self.config("cleanup.policy")
        self.is_deleted_by_retention = "delete" in self.config("cleanup.policy")
        self.retention_ms = int(self.config("retention.ms"))
        self.retention_bytes = int(self.config("retention.bytes"))
        self.max_message_bytes = int(self.config("max.message.bytes"))
        self.min_cleanable_dirty_ratio = float(self.config("min.cleanable.dirty.ratio"))
        self.min_compaction_lag_ms = int(self.config("min.compaction.lag.ms"))
        self.max_compaction_lag_ms = int(self.config("max.compaction.lag.ms"))
        self.delete_retention_ms = int(self.config("delete.retention.ms"))
        self.timestamp_before_max_ms = int(self.config("message.timestamp.before.max.ms"))
        self.timestamp_after_max_ms = int(self.config("message.timestamp.after.max.ms"))
        self.uses_append_time = self.config("message.timestamp.type") == "LogAppendTime"
        for partition in self.partitions:
            self._configure_partition(partition)

    def _configure_partition(self, partition: PartitionLog) -> None:
        partition.segment_bytes = int(self.config("segment.bytes"))
        partition.segment_ms = int(self.config("segment.ms"))
        if self.is_compacted:
            # A segment that is appended to cannot be compacted.
            partition.segment_ms = min(partition.segment_ms, self.max_compaction_lag_ms)

    def config(self, name: str) -> str:
        """Value of a configuration, its default when it is not set."""
        return self.configs.get(name, self._defaults[name])

    def grow(self, partition_count: int) -> None:
        """Add partitions up to the given count."""
        for index in range(len(self.partitions), partition_count):
            partition = PartitionLog(self._disk, f"{self.directory}/{index}")
            self._configure_partition(partition)
            self.partitions.append(partition)

    def partition(self, index: int) -> PartitionLog | None:
        """The log of a partition, None when the topic has no such partition."""
        return self.partitions[index] if 0 <= index < len(self.partitions) else None

    def snapshot(self) -> TopicSnapshot:
        """What a checkpoint stores."""
        return TopicSnapshot(self.name, self.id, self.configs, [partition.snapshot() for partition in self.partitions])

    def close(self) -> None:
        """Close all files."""
        for partition in self.partitions:
            partition.close()


class Topics:
    """All topics, by name and by id; `version` changes with their names and numbers of partitions.

    `defaults` of this broker stand for Kafka's in the configurations that topics leave open.
    """

    def __init__(self, disk: Disk, defaults: Mapping[str, str]) -> None:
        self.version = 0
        self.defaults = {**DEFAULTS, **defaults}
        self._disk = disk
        self._by_name: dict[str, Topic] = {}
        self._by_id: dict[bytes, Topic] = {}

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._by_name.values())

    def by_name(self, name: str) -> Topic | None:
        """The topic of that name."""
        return self._by_name.get(name)

    def by_id(self, topic_id: bytes) -> Topic | None:
        """The topic with that id."""
        return self._by_id.get(topic_id)

    def colliding_name(self, name: str) -> str | None:
        """Another topic whose name differs in dots and underscores only, which Kafka does not allow."""
        if "." not in name and "_" not in name:
            return None
        alike = name.replace(".", "_")
        return next((other for other in self._by_name if other != name and other.replace(".", "_") == alike), None)

    def partition(self, name: str, index: int) -> PartitionLog | None:
        """The log of a partition, None when there is no such topic or partition."""
        topic = self._by_name.get(name)
        return topic.partition(index) if topic else None

    def add(self, snapshot: TopicSnapshot) -> Topic:
        """Add a topic."""
        topic = Topic(self._disk, snapshot, self.defaults)
        self._by_name[topic.name] = self._by_id[topic.id] = topic
        self.version += 1
        return topic

    def grow(self, topic: Topic, partition_count: int) -> None:
        """Add partitions to a topic, up to the given count."""
        topic.grow(partition_count)
        self.version += 1

    def remove(self, topic_id: bytes) -> Topic:
        """Take a topic out; its files stay."""
        topic = self._by_id.pop(topic_id)
        del self._by_name[topic.name]
        self.version += 1
        topic.close()
        return topic
