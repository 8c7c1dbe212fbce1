"""Rows about topics."""

from uuid import UUID

from ..requests import (
    assigned,
    create,
    create_with,
    delete_records,
    delete_topics,
    describe_partitions,
    grow,
    metadata,
    reassign,
)
from ..rows import COMPACTED, FRESH, GROWING, MISSING, PLAIN, STRICT, rows, since

SOME_ID = UUID(int=12345)

TOPICS = [
    *rows(
        "create_topics",
        {
            **{
                f"name {name[:10]!r}, {len(name)} long": create({"name": name})
                for name in ("", ".", "..", "a/b", "with space", "ä", "x" * 250, "nul\0", "new\nline")
            },
            "exists": create({"name": PLAIN}),
            "differs by dot and underscore": create({"name": "{dotted}"}),
            **{f"{count} partitions": create({"name": FRESH, "num_partitions": count}) for count in (0, -1, -2, 3)},
            **{f"{count} replicas": create({"name": FRESH, "replication_factor": count}) for count in (0, -1, -2, 2)},
            "defaults": since(4, create({"name": FRESH, "num_partitions": -1, "replication_factor": -1})),
            "twice in one request": create({"name": "{run}-twice"}, {"name": "{run}-twice"}),
            "one bad, one good": create({"name": FRESH}, {"name": "."}),
            "validate only": create({"name": FRESH}, validate_only=True),
            "validate only, exists": create({"name": PLAIN}, validate_only=True),
            "assigned": create({"name": FRESH} | assigned((0, [1]), (1, [1]))),
            "assigned to an unknown broker": create({"name": FRESH} | assigned((0, [7]))),
            "assigned with a gap": create({"name": FRESH} | assigned((0, [1]), (2, [1]))),
            "assigned to nobody": create({"name": FRESH} | assigned((0, []))),
            "assigned twice": create({"name": FRESH} | assigned((0, [1, 1]))),
            "a partition assigned twice": create({"name": FRESH} | assigned((0, [1]), (0, [1]))),
            "assigned and counted": create({"name": FRESH} | assigned((0, [1])) | {"num_partitions": 1}),
            **{
                f"{name}={value}": create_with(FRESH, (name, value))
                for name, value in (
                    ("no.such.config", "1"),
                    ("", "1"),
                    ("retention.ms", "soon"),
                    ("retention.ms", "-2"),
                    ("retention.ms", None),
                    ("retention.ms", ""),
                    ("retention.ms", " 1000 "),
                    ("retention.ms", "1e3"),
                    ("retention.bytes", "-2"),
                    ("segment.bytes", "10"),
                    ("segment.bytes", "1048576"),
                    ("segment.bytes", "99999999999"),
                    ("segment.ms", "0"),
                    ("cleanup.policy", "none"),
                    ("cleanup.policy", ""),
                    ("cleanup.policy", "delete,compact"),
                    ("cleanup.policy", "compact, delete"),
                    ("cleanup.policy", "delete,delete"),
                    ("cleanup.policy", "DELETE"),
                    ("compression.type", "brotli"),
                    ("compression.type", "none"),
                    ("compression.type", "zstd"),
                    ("message.timestamp.type", "createtime"),
                    ("min.insync.replicas", "0"),
                    ("min.insync.replicas", "2"),
                    ("max.message.bytes", "-1"),
                    ("max.message.bytes", "0"),
                    ("min.cleanable.dirty.ratio", "2"),
                    ("min.cleanable.dirty.ratio", "half"),
                    ("preallocate", "yes"),
                    ("preallocate", "TRUE"),
                    ("delete.retention.ms", "-1"),
                    ("file.delete.delay.ms", "-1"),
                    ("flush.messages", "0"),
                    ("index.interval.bytes", "-1"),
                    ("segment.index.bytes", "3"),
                    ("segment.jitter.ms", "-1"),
                    ("unclean.leader.election.enable", "true"),
                    ("message.timestamp.before.max.ms", "-1"),
                    ("message.timestamp.difference.max.ms", "1000"),
                    ("message.format.version", "3.0"),
                    ("message.downconversion.enable", "true"),
                    ("remote.storage.enable", "false"),
                    ("remote.storage.enable", "true"),
                    ("local.retention.ms", "-2"),
                    ("local.retention.ms", "-3"),
                    ("compression.gzip.level", "0"),
                    ("compression.gzip.level", "9"),
                    ("compression.lz4.level", "18"),
                    ("compression.zstd.level", "23"),
                    ("leader.replication.throttled.replicas", "0:1"),
                    ("leader.replication.throttled.replicas", "*"),
                    ("leader.replication.throttled.replicas", "x"),
                    ("min.compaction.lag.ms", "-1"),
                    ("max.compaction.lag.ms", "0"),
                )
            },
            "a config twice": create_with(FRESH, ("retention.ms", "1"), ("retention.ms", "2")),
            "lag limits crossed": create_with(FRESH, ("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "5")),
        },
    ),
    *rows(
        "delete_topics",
        {
            "unknown": delete_topics(MISSING),
            "unknown and bad": delete_topics(MISSING, ".", ""),
            "unknown twice": delete_topics(MISSING, MISSING),
            "nothing": delete_topics(),
            "unknown id": since(6, {"topics": [{"name": None, "topic_id": SOME_ID}], "timeout": 5000}),
            "neither name nor id": since(6, {"topics": [{"name": None}], "timeout": 5000}),
            "name and id": since(6, {"topics": [{"name": PLAIN, "topic_id": SOME_ID}], "timeout": 5000}),
        },
    ),
    *rows(
        "create_partitions",
        {
            "unknown": grow(MISSING, 3),
            "bad name": grow(".", 3),
            **{f"to {count}": grow(GROWING, count) for count in (2, 1, 0, -1)},
            "validate only": grow(GROWING, 3, validate_only=True),
            "assigned, validate only": grow(GROWING, 3, [[1]], validate_only=True),
            "too many assignments": grow(GROWING, 3, [[1], [1]]),
            "too few assignments": grow(GROWING, 4, [[1]]),
            "no assignments": grow(GROWING, 3, []),
            "unknown broker": grow(GROWING, 3, [[7]]),
            "twice a broker": grow(GROWING, 3, [[1, 1]]),
            "nobody": grow(GROWING, 3, [[]]),
            "named twice": {"topics": grow(GROWING, 3)["topics"] * 2, "timeout": 5000},
        },
    ),
    *rows(
        "delete_records",
        {
            "unknown topic": delete_records(MISSING, 0, 0),
            "unknown partition": delete_records(PLAIN, 9, 0),
            "negative partition": delete_records(PLAIN, -1, 0),
            **{f"offset {offset}": delete_records(PLAIN, 0, offset) for offset in (0, 100, -2)},
            "all of an empty one": delete_records(STRICT, 0, -1),
            "compacted": delete_records(COMPACTED, 0, 0),
        },
    ),
    *rows(
        "metadata",
        {
            "unknown": since(4, metadata(MISSING)),
            "bad names": since(1, metadata("bad name", ".", "", "x" * 250)),
            "bad names, may create": since(1, metadata("bad name", ".", "", may_create=True)),
            "known": since(1, metadata(PLAIN, COMPACTED)),
            "no topics": since(1, metadata()),
            "unknown id": since(12, {"topics": [{"topic_id": SOME_ID, "name": None}]}),
            "neither name nor id": since(12, {"topics": [{"name": None}]}),
            "named twice": since(1, metadata(PLAIN, PLAIN)),
            "authorized operations": since(
                8,
                metadata(PLAIN)
                | {"include_topic_authorized_operations": True, "include_cluster_authorized_operations": True},
            ),
        },
    ),
    *rows(
        "elect_leaders",
        {
            "known": {"topic_partitions": [{"topic": PLAIN, "partitions": [0]}], "timeout": 5000},
            "unclean": since(
                1, {"election_type": 1, "topic_partitions": [{"topic": PLAIN, "partitions": [0]}], "timeout": 5000}
            ),
            "unknown type": since(
                1, {"election_type": 5, "topic_partitions": [{"topic": PLAIN, "partitions": [0]}], "timeout": 5000}
            ),
            "unknown topic": {"topic_partitions": [{"topic": "missing", "partitions": [0]}], "timeout": 5000},
            "unknown partition": {"topic_partitions": [{"topic": PLAIN, "partitions": [9]}], "timeout": 5000},
            "bad name": {"topic_partitions": [{"topic": ".", "partitions": [0]}], "timeout": 5000},
        },
    ),
    *rows(
        "describe_topic_partitions",
        {
            "known": describe_partitions(PLAIN, COMPACTED),
            "unknown": describe_partitions(MISSING),
            "bad name": describe_partitions("bad name", ""),
            "named twice": describe_partitions(PLAIN, PLAIN),
            "one at a time": describe_partitions(PLAIN, limit=1),
            "no limit": describe_partitions(PLAIN, limit=0),
            "from a cursor": describe_partitions(PLAIN, cursor=(PLAIN, 1)),
            "from a cursor beyond the end": describe_partitions(PLAIN, cursor=(PLAIN, 9)),
            "from a cursor of another topic": describe_partitions(PLAIN, cursor=(COMPACTED, 0)),
            "from a negative cursor": describe_partitions(PLAIN, cursor=(PLAIN, -1)),
        },
    ),
    *rows(
        "alter_partition_reassignments",
        {
            "unknown topic": reassign(MISSING, 0, [1]),
            "bad name": reassign(".", 0, [1]),
            "unknown partition": reassign(PLAIN, 9, [1]),
            "to where it is": reassign(PLAIN, 0, [1]),
            "to an unknown broker": reassign(PLAIN, 0, [7]),
            "to one broker twice": reassign(PLAIN, 0, [1, 1]),
            "to nobody": reassign(PLAIN, 0, []),
            "cancelled": reassign(PLAIN, 0, None),
        },
    ),
    *rows(
        "list_partition_reassignments",
        {
            "all": {"timeout": 5000, "topics": None},
            "known": {"timeout": 5000, "topics": [{"name": PLAIN, "partition_indexes": [0]}]},
            "unknown": {"timeout": 5000, "topics": [{"name": MISSING, "partition_indexes": [0]}]},
        },
    ),
]
