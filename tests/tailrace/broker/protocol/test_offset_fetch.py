"""OffsetCommit, OffsetFetch and OffsetDelete: what groups have committed."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import Wire


def commit(wire: Wire, group: str, topic: str, offset: int, *, version: int = 8, **fields: Any) -> ErrorCode:
    entry = {"partition_index": fields.pop("partition", 0), "committed_offset": offset, "committed_leader_epoch": -1}
    entry["committed_metadata"] = fields.pop("metadata", "")
    membership = {"generation_id_or_member_epoch": -1} | fields
    topics = [{"name": topic, "partitions": [entry]}]
    answer = wire.patiently("offset_commit", version, group_id=group, topics=topics, **membership)
    error: ErrorCode = answer.topics[0].partitions[0].error_code
    return error


def fetch(wire: Wire, group: str, topic: str, *, version: int = 7, partition: int = 0) -> tuple[ErrorCode, int, str]:
    topics = [{"name": topic, "partition_indexes": [partition]}]
    if version >= 8:
        wanted = [{"group_id": group, "topics": topics, "member_epoch": -1}]
        [answer] = wire.patiently("offset_fetch", version, groups=wanted).groups
    else:
        answer = wire.patiently("offset_fetch", version, group_id=group, topics=topics)
    if version >= 2:
        assert answer.error_code is ErrorCode.none
    [entry] = answer.topics[0].partitions
    return entry.error_code, entry.committed_offset, entry.metadata


NOTHING = ErrorCode.none, -1, ""


@pytest.mark.parametrize("version", range(1, 10))
def test_an_unknown_group_has_no_offset_which_is_no_error(wire: Wire, version: int) -> None:
    assert fetch(wire, wire.unique("group"), wire.topic(), version=version) == NOTHING


@pytest.mark.parametrize("version", [2, 5, 7, 8, 9])
def test_all_offsets_of_an_unknown_group_are_none(wire: Wire, version: int) -> None:
    group = wire.unique("group")
    if version >= 8:
        wanted = [{"group_id": group, "topics": None, "member_epoch": -1}]
        [answer] = wire.patiently("offset_fetch", version, groups=wanted).groups
    else:
        answer = wire.patiently("offset_fetch", version, group_id=group, topics=None)
    assert (answer.error_code, answer.topics) == (ErrorCode.none, ())


def test_an_unknown_topic_or_partition_has_no_offset_which_is_no_error(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic()
    commit(wire, group, topic, 5)
    assert fetch(wire, group, wire.unique("missing")) == NOTHING
    assert fetch(wire, group, topic, partition=9) == NOTHING


@pytest.mark.parametrize("version", range(2, 10))
def test_offset_and_metadata_come_back(wire: Wire, version: int) -> None:
    group, topic = wire.unique("group"), wire.topic()
    assert commit(wire, group, topic, 5, version=version, metadata="note") is ErrorCode.none
    assert fetch(wire, group, topic) == (ErrorCode.none, 5, "note")


def test_several_groups_are_asked_at_once(wire: Wire) -> None:
    topic, groups = wire.topic(), [wire.unique("group") for _ in range(3)]
    for offset, group in enumerate(groups[:2]):
        commit(wire, group, topic, offset)
    wanted = [{"group_id": group, "topics": None, "member_epoch": -1} for group in groups]
    answer = wire.patiently("offset_fetch", 8, groups=wanted)
    found = {
        group.group_id: [(t.name, p.committed_offset) for t in group.topics for p in t.partitions]
        for group in answer.groups
    }
    assert found == {groups[0]: [(topic, 0)], groups[1]: [(topic, 1)], groups[2]: []}


def test_an_offset_for_an_unknown_partition_is_refused(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic()
    assert commit(wire, group, topic, 5, partition=9) is ErrorCode.unknown_topic_or_partition
    assert commit(wire, group, wire.unique("missing"), 5) is ErrorCode.unknown_topic_or_partition
    assert fetch(wire, group, topic, partition=9) == NOTHING


def test_metadata_that_is_too_long_is_refused(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic()
    assert commit(wire, group, topic, 5, metadata="x" * 4097) is ErrorCode.offset_metadata_too_large
    assert commit(wire, group, topic, 5, metadata="x" * 4096) is ErrorCode.none


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"generation_id_or_member_epoch": 1}, ErrorCode.illegal_generation),
        ({"member_id": "nobody"}, ErrorCode.none),
        ({"generation_id_or_member_epoch": 1, "member_id": "nobody"}, ErrorCode.illegal_generation),
    ],
    ids=["a generation", "a member", "both"],
)
def test_a_member_of_a_group_that_does_not_exist_cannot_commit(
    wire: Wire, fields: dict[str, Any], error: ErrorCode
) -> None:
    assert commit(wire, wire.unique("group"), wire.topic(), 5, **fields) is error


def test_since_version_9_a_member_of_no_group_is_told_that_there_is_none(wire: Wire) -> None:
    fields = {"generation_id_or_member_epoch": 1, "member_id": "nobody"}
    error = commit(wire, wire.unique("group"), wire.topic(), 5, version=9, **fields)
    assert error is ErrorCode.group_id_not_found


def test_a_generation_of_a_group_that_has_only_offsets_is_unknown(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic()
    commit(wire, group, topic, 5)
    error = commit(wire, group, topic, 6, generation_id_or_member_epoch=1)
    assert error is ErrorCode.unknown_member_id


def test_deleting_a_topic_forgets_its_offsets(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic()
    commit(wire, group, topic, 5)
    wire.delete_topic(topic)
    wire.create_topic(topic)
    assert fetch(wire, group, topic) == NOTHING


def test_a_deleted_offset_is_gone(wire: Wire) -> None:
    group, topic = wire.unique("group"), wire.topic(2)
    for index in range(2):
        commit(wire, group, topic, 5, partition=index)
    wanted = [{"name": topic, "partitions": [{"partition_index": 0}]}]
    answer = wire.patiently("offset_delete", 0, group_id=group, topics=wanted)
    assert (answer.error_code, answer.topics[0].partitions[0].error_code) == (ErrorCode.none, ErrorCode.none)
    assert fetch(wire, group, topic) == NOTHING
    assert fetch(wire, group, topic, partition=1) == (ErrorCode.none, 5, "")


def test_offsets_of_an_unknown_group_cannot_be_deleted(wire: Wire) -> None:
    wanted = [{"name": wire.topic(), "partitions": [{"partition_index": 0}]}]
    answer = wire.patiently("offset_delete", 0, group_id=wire.unique("group"), topics=wanted)
    assert answer.error_code is ErrorCode.group_id_not_found
