"""Rows about transactions."""

from collections.abc import Callable, Mapping

from ..requests import Producer, Request, add_group, add_partitions, add_to, commit_in_transaction, end, init_producer
from ..rows import (
    COMMITTED,
    COMPACTED,
    EMPTY_GROUP,
    FENCED,
    FRESH,
    GROUP,
    GROUPED,
    IDLE,
    MEMBER_ID,
    OFFSETS,
    ONGOING,
    PLAIN,
    rows,
    since,
    within,
)

BY_PRODUCER: Mapping[str, Callable[[Producer], Request]] = {
    "add_partitions_to_txn": lambda producer: add_to(producer, PLAIN, 0),
    "add_offsets_to_txn": lambda producer: add_group(producer, EMPTY_GROUP),
    "end_txn": lambda producer: end(producer, committed=True),
    "txn_offset_commit": lambda producer: commit_in_transaction(producer, EMPTY_GROUP, PLAIN),
}

TRANSACTIONS = [
    *rows(
        "init_producer_id",
        {
            "idempotent": init_producer(None),
            "idempotent, strange timeout": init_producer(None, -5),
            "empty id": init_producer(""),
            "new": init_producer(FRESH),
            **{f"timeout {timeout_ms}": init_producer(FRESH, timeout_ms) for timeout_ms in (0, -1, 900_000, 900_001)},
            "idempotent with identity": since(3, init_producer(None, 1000, (5, 5))),
            "id without epoch": since(3, init_producer(FRESH, 1000, (5, -1))),
            "epoch without id": since(3, init_producer(FRESH, 1000, (-1, 5))),
            "new with identity": since(3, init_producer(FRESH, 1000, (999_999, 5))),
            "identity of another": since(3, init_producer(IDLE.transactional_id, 1000, (999_999, 0))),
            "epoch to come": since(3, init_producer(IDLE.transactional_id, 1000, (IDLE.producer_id, 7))),
        },
    ),
    *(
        row
        for api, request in BY_PRODUCER.items()
        for row in rows(
            api,
            {
                "no id": request(Producer("", 5, 0)),
                "unknown id": request(Producer("missing", 5, 0)),
                "another's id": request(IDLE._replace(producer_id=999_999)),
                "epoch to come": request(IDLE._replace(producer_epoch=7)),
                "old epoch": request(FENCED),
                "epoch -1": request(IDLE._replace(producer_epoch=-1)),
                "open, epoch -1": request(ONGOING._replace(producer_epoch=-1)),
            },
        )
    ),
    *rows(
        "add_partitions_to_txn",
        {
            "unknown topic": add_to(IDLE, "missing", 0),
            "unknown partition": add_to(IDLE, PLAIN, 9),
            "one known, one not": add_to(IDLE, PLAIN, 0, 9),
            "bad name": add_to(IDLE, ".", 0),
            "again": add_to(ONGOING, PLAIN, 1),
            "nothing": add_partitions(ONGOING, []),
        },
    ),
    *rows(
        "add_offsets_to_txn",
        {
            "no group": add_group(GROUPED, ""),
        },
    ),
    *rows(
        "end_txn",
        {
            "commit what is empty": end(IDLE, committed=True),
            "abort what is empty": end(IDLE, committed=False),
            "commit again": end(COMMITTED, committed=True),
            "abort what is committed": end(COMMITTED, committed=False),
        },
    ),
    *rows(
        "txn_offset_commit",
        {
            "no group": commit_in_transaction(ONGOING, "", PLAIN),
            "group not added": commit_in_transaction(ONGOING, EMPTY_GROUP, PLAIN),
            "no transaction": commit_in_transaction(IDLE, EMPTY_GROUP, PLAIN),
            "unknown topic": commit_in_transaction(OFFSETS, EMPTY_GROUP, "missing"),
            "unknown partition": commit_in_transaction(OFFSETS, EMPTY_GROUP, PLAIN, 9),
            "unknown member": since(3, commit_in_transaction(OFFSETS, GROUP, PLAIN, member_id="m", generation_id=1)),
            "old generation": since(
                3, commit_in_transaction(OFFSETS, GROUP, PLAIN, member_id=MEMBER_ID, generation_id=0)
            ),
            "unknown instance": since(
                3,
                commit_in_transaction(
                    OFFSETS, GROUP, PLAIN, member_id=MEMBER_ID, generation_id=1, group_instance_id="i"
                ),
            ),
            "unknown group with a member": since(
                3, commit_in_transaction(ONGOING, "missing", PLAIN, member_id="m", generation_id=1)
            ),
        },
    ),
    *rows(
        "describe_transactions",
        {
            "unknown": {"transactional_ids": ["missing"]},
            "no id": {"transactional_ids": [""]},
            "ongoing": {"transactional_ids": [ONGOING.transactional_id]},
            "with offsets": {"transactional_ids": [OFFSETS.transactional_id]},
        },
    ),
    *rows(
        "list_transactions",
        {
            **{
                f"{filters}": {"state_filters": [], "producer_id_filters": []} | filters
                for filters in (
                    {"state_filters": ["Ongoing"]},
                    {"state_filters": ["ongoing"]},
                    {"state_filters": ["Bored"]},
                    {"producer_id_filters": [999_999]},
                )
            },
            "open for long": within(1, 1, {"state_filters": [], "producer_id_filters": [], "duration_filter": 10**9}),
        },
    ),
    *rows(
        "describe_producers",
        {
            "unknown topic": {"topics": [{"name": "missing", "partition_indexes": [0]}]},
            "bad name": {"topics": [{"name": ".", "partition_indexes": [0]}]},
            "unknown partition": {"topics": [{"name": PLAIN, "partition_indexes": [9]}]},
            "none": {"topics": [{"name": COMPACTED, "partition_indexes": [0]}]},
            "an open transaction": {"topics": [{"name": PLAIN, "partition_indexes": [1]}]},
        },
    ),
]
