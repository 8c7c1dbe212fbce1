"""Offsets in transactions: pending until the end, withheld from those who ask for stable ones (KIP-98, KIP-447)."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import ProducerState, Wire, until


@pytest.fixture
def topic(wire: Wire) -> str:
    return wire.topic(2)


@pytest.fixture
def group(wire: Wire) -> str:
    return wire.unique("group")


@pytest.fixture
def producer(wire: Wire) -> ProducerState:
    return wire.initialize(wire.unique("txn"))


def add_group(wire: Wire, producer: ProducerState, group: str) -> None:
    answer = wire.patiently("add_offsets_to_txn", 3, **producer.named, group_id=group)
    assert answer.error_code is ErrorCode.none


def commit(
    wire: Wire, producer: ProducerState, group: str, topic: str, offset: int, *, version: int = 3, **fields: Any
) -> ErrorCode:
    """Send the offset of partition 0 in the producer's transaction."""
    entry = {"partition_index": fields.pop("partition", 0), "committed_offset": offset, "committed_leader_epoch": -1}
    entry["committed_metadata"] = fields.pop("metadata", "")
    topics = [{"name": topic, "partitions": [entry]}]
    membership = {"generation_id": -1} | fields
    answer = wire.patiently("txn_offset_commit", version, **producer.named, group_id=group, topics=topics, **membership)
    error: ErrorCode = answer.topics[0].partitions[0].error_code
    return error


def fetched(wire: Wire, group: str, topic: str, *, stable: bool = False, partition: int = 0) -> tuple[ErrorCode, int]:
    topics = [{"name": topic, "partition_indexes": [partition]}]
    answer = wire.patiently("offset_fetch", 7, group_id=group, topics=topics, require_stable=stable)
    assert answer.error_code is ErrorCode.none
    [entry] = answer.topics[0].partitions
    return entry.error_code, entry.committed_offset


NOTHING = ErrorCode.none, -1
UNSTABLE = ErrorCode.unstable_offset_commit, -1


@pytest.mark.parametrize(("committed", "after"), [(True, (ErrorCode.none, 7)), (False, (ErrorCode.none, 3))])
def test_offsets_wait_for_the_end_of_the_transaction(
    wire: Wire, producer: ProducerState, group: str, topic: str, committed: bool, after: tuple[ErrorCode, int]
) -> None:
    plain_commit(wire, group, topic, 3)
    add_group(wire, producer, group)
    assert commit(wire, producer, group, topic, 7) is ErrorCode.none
    assert fetched(wire, group, topic) == (ErrorCode.none, 3)
    assert wire.end(producer, committed=committed) is ErrorCode.none
    until(lambda: fetched(wire, group, topic, stable=True) == after)


def plain_commit(wire: Wire, group: str, topic: str, offset: int) -> None:
    entry = {"partition_index": 0, "committed_offset": offset, "committed_leader_epoch": -1, "committed_metadata": ""}
    topics = [{"name": topic, "partitions": [entry]}]
    fields = {"group_id": group, "generation_id_or_member_epoch": -1, "topics": topics}
    answer = wire.patiently("offset_commit", 7, **fields)
    assert answer.topics[0].partitions[0].error_code is ErrorCode.none


def test_stable_offsets_are_withheld_for_pending_partitions_only(
    wire: Wire, producer: ProducerState, group: str, topic: str
) -> None:
    add_group(wire, producer, group)
    assert commit(wire, producer, group, topic, 7) is ErrorCode.none
    assert fetched(wire, group, topic, stable=True) == UNSTABLE
    assert fetched(wire, group, topic, stable=False) == NOTHING
    assert fetched(wire, group, topic, stable=True, partition=1) == NOTHING
    wire.end(producer, committed=False)
    until(lambda: fetched(wire, group, topic, stable=True) == NOTHING)


def test_pending_offsets_of_two_transactions_are_kept_apart(wire: Wire, group: str, topic: str) -> None:
    first, second = (wire.initialize(wire.unique("txn")) for _ in range(2))
    for producer, offset in ((first, 1), (second, 2)):
        add_group(wire, producer, group)
        assert commit(wire, producer, group, topic, offset) is ErrorCode.none
    wire.end(first, committed=True)
    until(lambda: fetched(wire, group, topic) == (ErrorCode.none, 1))
    assert fetched(wire, group, topic, stable=True) == UNSTABLE
    wire.end(second, committed=True)
    until(lambda: fetched(wire, group, topic, stable=True) == (ErrorCode.none, 2))


def test_a_plain_commit_meanwhile_counts_until_the_transaction_is_committed(
    wire: Wire, producer: ProducerState, group: str, topic: str
) -> None:
    add_group(wire, producer, group)
    assert commit(wire, producer, group, topic, 7) is ErrorCode.none
    plain_commit(wire, group, topic, 3)
    assert fetched(wire, group, topic) == (ErrorCode.none, 3)


def test_the_last_of_several_commits_of_a_transaction_counts(
    wire: Wire, producer: ProducerState, group: str, topic: str
) -> None:
    add_group(wire, producer, group)
    for offset in (5, 9, 7):
        assert commit(wire, producer, group, topic, offset) is ErrorCode.none
    wire.end(producer, committed=True)
    until(lambda: fetched(wire, group, topic, stable=True) == (ErrorCode.none, 7))


def test_initializing_again_drops_what_was_pending(wire: Wire, producer: ProducerState, group: str, topic: str) -> None:
    add_group(wire, producer, group)
    assert commit(wire, producer, group, topic, 7) is ErrorCode.none
    wire.initialize(producer.transactional_id)
    until(lambda: fetched(wire, group, topic, stable=True) == NOTHING)


@pytest.mark.parametrize(("version", "error"), [(3, ErrorCode.invalid_txn_state), (4, ErrorCode.transaction_abortable)])
def test_a_group_that_was_not_added_is_refused(
    wire: Wire, producer: ProducerState, group: str, topic: str, version: int, error: ErrorCode
) -> None:
    assert wire.add_partitions(producer, (topic, 0)) is ErrorCode.none
    assert commit(wire, producer, group, topic, 7, version=version) is error
    assert commit(wire, producer, group, topic, 7, version=version, generation_id=1) is error, "before the group is"
    assert fetched(wire, group, topic, stable=True) == NOTHING


def test_a_foreign_producer_id_is_refused(wire: Wire, producer: ProducerState, group: str, topic: str) -> None:
    add_group(wire, producer, group)
    producer.id += 1000
    assert commit(wire, producer, group, topic, 7) is ErrorCode.invalid_producer_id_mapping


def test_an_unknown_partition_is_refused_by_itself(wire: Wire, producer: ProducerState, group: str, topic: str) -> None:
    add_group(wire, producer, group)
    assert commit(wire, producer, group, wire.unique("missing"), 7) is ErrorCode.unknown_topic_or_partition
    assert commit(wire, producer, group, topic, 7, partition=9) is ErrorCode.unknown_topic_or_partition


def test_metadata_that_is_too_long_is_refused(wire: Wire, producer: ProducerState, group: str, topic: str) -> None:
    add_group(wire, producer, group)
    error = commit(wire, producer, group, topic, 7, metadata="x" * 4097)
    assert error is ErrorCode.offset_metadata_too_large
    assert commit(wire, producer, group, topic, 7, metadata="x" * 4096) is ErrorCode.none


def test_a_generation_of_a_group_that_does_not_exist_is_illegal(
    wire: Wire, producer: ProducerState, group: str, topic: str
) -> None:
    add_group(wire, producer, group)
    assert commit(wire, producer, group, topic, 7, member_id="x", generation_id=1) is ErrorCode.illegal_generation


def test_member_and_generation_must_be_the_present_ones_since_version_3(
    wire: Wire, producer: ProducerState, group: str, topic: str
) -> None:
    from .test_groups import join, sync

    member = join(wire, group)
    sync(wire, group, member)
    add_group(wire, producer, group)
    present = {"member_id": member.member_id, "generation_id": member.generation_id}
    assert commit(wire, producer, group, topic, 7, **present) is ErrorCode.none
    assert commit(wire, producer, group, topic, 7, **present | {"generation_id": 99}) is ErrorCode.illegal_generation
    assert commit(wire, producer, group, topic, 7, **present | {"member_id": "x"}) is ErrorCode.unknown_member_id
    stranger = present | {"group_instance_id": "stranger"}
    assert commit(wire, producer, group, topic, 7, **stranger) is ErrorCode.unknown_member_id
    assert commit(wire, producer, group, topic, 7, version=2) is ErrorCode.none, "older versions name nobody"
