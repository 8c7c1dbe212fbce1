"""Checkpoints: the whole state of a broker at one frame of its journal, in one file.

Recovery takes the last checkpoint and applies the frames after it. Before a checkpoint is written, the segments that
it speaks of are made durable; so what the checkpoint covers is no longer needed from the journal.
"""

from __future__ import annotations

import struct

import msgspec
from crc32c import crc32c

from tailrace.broker.disk import Disk
from tailrace.broker.events import OffsetRow
from tailrace.broker.groups.consumer.group import ConsumerGroupSnapshot
from tailrace.broker.groups.snapshot import GroupSnapshot
from tailrace.broker.log.partition import PartitionSnapshot
from tailrace.broker.security.acls import AclBinding
from tailrace.broker.security.credentials import ScramCredential

NAME = "checkpoint"
HEADER = struct.Struct(">4sI")
MAGIC = b"tr01"


class TopicSnapshot(msgspec.Struct, array_like=True):
    """A topic with its partitions."""

    name: str
    topic_id: bytes
    configs: dict[str, str]
    partitions: list[PartitionSnapshot]


class TransactionSnapshot(msgspec.Struct, array_like=True):
    """A transactional id."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    previous_producer_id: int
    previous_producer_epoch: int
    state: str
    started_ms: int
    partitions: list[tuple[bytes, int]]
    groups: list[str]
    initialized_ms: int = -1


class Checkpoint(msgspec.Struct, array_like=True):
    """Everything; `next_frame` is the number of the first frame that is not included."""

    cluster_id: str
    next_frame: int
    leader_epoch: int
    next_producer_id: int
    topics: list[TopicSnapshot] = []
    offsets: dict[str, list[OffsetRow]] = {}
    pending_offsets: list[tuple[int, str, list[OffsetRow]]] = []
    transactions: list[TransactionSnapshot] = []
    groups: list[GroupSnapshot] = []
    credentials: list[ScramCredential] = []
    acls: list[AclBinding] = []
    consumer_groups: list[ConsumerGroupSnapshot] = []
    group_configs: dict[str, dict[str, str]] = {}


class CorruptCheckpoint(Exception):
    """The checkpoint cannot be used; the broker must not guess what it said."""


def save(disk: Disk, encoded: bytes) -> None:
    """Replace the checkpoint durably by the encoded one."""
    disk.replace(NAME, (HEADER.pack(MAGIC, crc32c(encoded)), encoded))


def load(disk: Disk) -> Checkpoint | None:
    """The last checkpoint, None in a new directory. Raises CorruptCheckpoint."""
    stored = disk.read(NAME)
    if stored is None:
        return None
    content = stored[HEADER.size :]
    if len(stored) < HEADER.size or HEADER.unpack_from(stored) != (MAGIC, crc32c(content)):
        raise CorruptCheckpoint(
            f"{disk.root / NAME} has {len(stored)} bytes with a wrong magic or CRC, expected a checkpoint of this "
            "version of tailrace; restore the data directory from a copy, or start with an empty one"
        )
    return msgspec.msgpack.decode(content, type=Checkpoint)
