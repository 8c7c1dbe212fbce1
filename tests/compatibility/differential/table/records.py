"""Rows about records."""

from collections.abc import Callable
from uuid import UUID

from ..requests import TIMESTAMP_MS, Producer, batch, end_of_epoch, fetch, list_offsets, produce
from ..rows import COMPACTED, IDLE, ONGOING, PLAIN, STRICT, UNTOUCHED, rows, since, within
from ..world import World

SOME_ID = UUID(int=12345)


def late(value: bytes, producer: str, sequence: int = 0, **changes: int) -> Callable[[World], bytes]:
    """A batch of a producer of the world."""
    return lambda world: batch(value, producer=getattr(world, producer)._replace(**changes), sequence=sequence)


def end_of_plain(world: World) -> int:
    return world.end_offset(world.plain)


RECORDS = [
    *rows(
        "produce",
        {
            "unknown topic": since(3, produce("missing", batch(b"v"))),
            "bad name": since(3, produce(".", batch(b"v"))),
            "unknown partition": since(3, produce(PLAIN, batch(b"v"), partition=9)),
            "acks 2": since(3, produce(PLAIN, batch(b"v"), acks=2)),
            "no bytes": since(3, produce(STRICT, b"")),
            "too few bytes": since(3, produce(STRICT, batch(b"v")[:20])),
            "cut off": since(3, produce(STRICT, batch(b"v")[:-1])),
            "wrong checksum": since(3, produce(STRICT, batch(b"v")[:-1] + b"\1")),
            "two batches": since(3, produce(STRICT, batch(b"v") * 2)),
            "too large": since(3, produce(STRICT, batch(b"v" * 600))),
            "control batch": since(3, produce(STRICT, batch(b"v", control=True))),
            "unknown codec": since(3, produce(STRICT, batch(b"v", attributes=6))),
            "no key in a compacted topic": since(3, produce(COMPACTED, batch(b"v", b"w"))),
            "magic 1": since(3, produce(STRICT, batch(b"v")[:16] + b"\1" + batch(b"v")[17:])),
            "magic 3": since(3, produce(STRICT, batch(b"v")[:16] + b"\3" + batch(b"v")[17:])),
            "nothing": since(3, {"acks": -1, "timeout": 9, "topic_data": []}),
            "transactional without id": since(3, produce(PLAIN, late(b"v", "ongoing"))),
            "not in a transaction": since(3, produce(PLAIN, late(b"v", "idle"), producer=IDLE)),
            "partition not added": since(3, produce(STRICT, late(b"v", "ongoing"), producer=ONGOING)),
            "unknown producer in a transaction": since(
                3, produce(STRICT, late(b"v", "ongoing", producer_id=999_999), producer=ONGOING)
            ),
            "gap in the sequence": since(
                3, produce(PLAIN, late(b"v", "ongoing", sequence=5), partition=1, producer=ONGOING)
            ),
            "epoch to come": since(
                3, produce(PLAIN, late(b"v", "ongoing", producer_epoch=7, sequence=1), partition=1, producer=ONGOING)
            ),
            "the same batch again": since(3, produce(PLAIN, late(b"open", "ongoing"), partition=1, producer=ONGOING)),
            "negative sequence": since(3, produce(STRICT, batch(b"v", producer=Producer("", 4242, 0), sequence=-1))),
        },
    ),
    *rows(
        "fetch",
        {
            "unknown topic": within(4, 12, fetch("missing")),
            "bad name": within(4, 12, fetch(".")),
            "unknown partition": within(4, 12, fetch(PLAIN, 9)),
            "beyond the end": within(4, 12, fetch(PLAIN, 0, 100)),
            "negative offset": within(4, 12, fetch(PLAIN, 0, -1)),
            "at the end": within(4, 12, fetch(PLAIN, 0, end_of_plain)),
            "an open transaction, committed": within(4, 12, fetch(PLAIN, 1, 0, isolation_level=1)),
            "an unknown session": within(7, 12, fetch(PLAIN, session_id=77, session_epoch=1)),
            "a new session with an id": within(7, 12, fetch(PLAIN, 0, end_of_plain, session_id=77, session_epoch=0)),
            "no session": within(7, 12, fetch(PLAIN, 0, end_of_plain, session_epoch=-1)),
            "leader epoch to come": within(9, 12, fetch(PLAIN, current_leader_epoch=99)),
            "unknown id": since(
                13,
                fetch("", session_epoch=-1)
                | {"topics": [{"topic_id": SOME_ID, "partitions": fetch("")["topics"][0]["partitions"]}]},
            ),
            "no id": since(13, fetch("", session_epoch=-1)),
            "nothing": fetch("", session_epoch=-1) | {"topics": []},
        },
    ),
    *rows(
        "list_offsets",
        {
            "unknown topic": list_offsets("missing", 0, -1),
            "bad name": list_offsets(".", 0, -1),
            "unknown partition": list_offsets(PLAIN, 9, -1),
            **{
                f"{timestamp}": list_offsets(PLAIN, 0, timestamp)
                for timestamp in (0, TIMESTAMP_MS, TIMESTAMP_MS + 1, -2, -3, -4, -5, -6, -100)
            },
            "end of an open transaction": list_offsets(PLAIN, 1, -1, committed=True),
            "in an open transaction": list_offsets(PLAIN, 1, 0, committed=True),
            "of an empty partition": list_offsets(UNTOUCHED, 0, -3),
            "leader epoch to come": since(4, list_offsets(PLAIN, 0, -1, epoch=99)),
            "a partition twice": {
                "replica_id": -1,
                "topics": [{"name": PLAIN, "partitions": [{"partition_index": 0, "timestamp": -1}] * 2}],
            },
        },
    ),
    *rows(
        "offset_for_leader_epoch",
        {
            "unknown topic": end_of_epoch("missing", 0, 0),
            "unknown partition": end_of_epoch(PLAIN, 9, 0),
            "to come": end_of_epoch(PLAIN, 0, 99),
            "negative": end_of_epoch(PLAIN, 0, -1),
            "present one to come": end_of_epoch(PLAIN, 0, 0, 99),
        },
    ),
]
