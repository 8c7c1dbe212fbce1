"""What DescribeConfigs tells of topic configurations besides their values (KIP-226, KIP-569)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Description(NamedTuple):
    """What a configuration is for, and the name of the broker's setting that holds where a topic leaves it open.

    Some of these settings are null in Kafka unless somebody sets them, because another one in other units is not.
    """

    documentation: str
    broker_name: str | None = None
    is_null_by_default: bool = False


UNUSED = "Accepted for compatibility and without effect: "

DESCRIPTIONS: Mapping[str, Description] = {
    "cleanup.policy": Description(
        "How old records go: 'delete' by retention.ms and retention.bytes, 'compact' all but the last one of each key.",
        "log.cleanup.policy",
    ),
    "compression.gzip.level": Description(UNUSED + "level of gzip.", "compression.gzip.level"),
    "compression.lz4.level": Description(UNUSED + "level of lz4.", "compression.lz4.level"),
    "compression.type": Description(
        "Codec of the batches. Batches are kept as producers send them, whatever is set here.", "compression.type"
    ),
    "compression.zstd.level": Description(UNUSED + "level of zstd.", "compression.zstd.level"),
    "delete.retention.ms": Description(
        "How long a tombstone stays in a compacted topic, so that readers hear of the deletion.",
        "log.cleaner.delete.retention.ms",
    ),
    "file.delete.delay.ms": Description(
        UNUSED + "time between the end of a segment and that of its file.", "log.segment.delete.delay.ms"
    ),
    "flush.messages": Description(UNUSED + "records after which to flush.", "log.flush.interval.messages"),
    "flush.ms": Description(UNUSED + "time after which to flush.", "log.flush.interval.ms", is_null_by_default=True),
    "follower.replication.throttled.replicas": Description(UNUSED + "replicas that followers throttle."),
    "index.interval.bytes": Description(UNUSED + "bytes between two entries of an index.", "log.index.interval.bytes"),
    "leader.replication.throttled.replicas": Description(UNUSED + "replicas that leaders throttle."),
    "local.retention.bytes": Description(UNUSED + "size of what is not tiered.", "log.local.retention.bytes"),
    "local.retention.ms": Description(UNUSED + "age of what is not tiered.", "log.local.retention.ms"),
    "max.compaction.lag.ms": Description(
        "How long a record may wait for compaction.", "log.cleaner.max.compaction.lag.ms"
    ),
    "max.message.bytes": Description("The largest batch that is accepted, as it is sent.", "message.max.bytes"),
    "message.timestamp.after.max.ms": Description(
        "How far a record's time may lie ahead of the broker's.", "log.message.timestamp.after.max.ms"
    ),
    "message.timestamp.before.max.ms": Description(
        "How far a record's time may lie behind the broker's.", "log.message.timestamp.before.max.ms"
    ),
    "message.timestamp.type": Description(
        "Whose time records have: 'CreateTime' the producer's, 'LogAppendTime' the broker's.",
        "log.message.timestamp.type",
    ),
    "min.cleanable.dirty.ratio": Description(
        "Which part of a log must be uncompacted before it is compacted.", "log.cleaner.min.cleanable.ratio"
    ),
    "min.compaction.lag.ms": Description(
        "How long a record is kept from compaction.", "log.cleaner.min.compaction.lag.ms"
    ),
    "min.insync.replicas": Description(
        "How many replicas must have what acks=all acknowledges; never more than the one there is.",
        "min.insync.replicas",
    ),
    "preallocate": Description(UNUSED + "whether files get their size in advance.", "log.preallocate"),
    "remote.log.copy.disable": Description(UNUSED + "whether tiering stops."),
    "remote.log.delete.on.disable": Description(UNUSED + "whether what is tiered goes when tiering ends."),
    "remote.storage.enable": Description("Whether segments are tiered; there is no tiered storage here."),
    "retention.bytes": Description("The size up to which a partition keeps old segments.", "log.retention.bytes"),
    "retention.ms": Description(
        "The age up to which a partition keeps old segments.", "log.retention.ms", is_null_by_default=True
    ),
    "segment.bytes": Description("The size of a segment.", "log.segment.bytes"),
    "segment.index.bytes": Description(UNUSED + "size of a segment's index.", "log.index.size.max.bytes"),
    "segment.jitter.ms": Description(
        UNUSED + "variation of segment.ms.", "log.roll.jitter.ms", is_null_by_default=True
    ),
    "segment.ms": Description(
        "The time between the first and the last record of a segment.", "log.roll.ms", is_null_by_default=True
    ),
    "unclean.leader.election.enable": Description(
        UNUSED + "whether a replica that lags may lead.", "unclean.leader.election.enable"
    ),
}
