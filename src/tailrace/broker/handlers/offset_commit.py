"""OffsetCommit (API key 8), versions 2-9.

Version 7 adds the instance id (KIP-345), version 9 is for members of consumer groups too (KIP-848).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import OffsetRow, OffsetsCommitted
from tailrace.broker.groups.consumer.commits import commit_check
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.offset_commit.v9.request import OffsetCommitRequest

EPOCHS_SINCE = 9

Check = Callable[[tuple[str, int]], ErrorCode]
"""Whether the offset of a partition, (topic, partition), may be committed."""


def handle(request: OffsetCommitRequest, call: Call) -> Response:
    """Commit offsets of a group."""
    check = always(ErrorCode.group_authorization_failed)
    if call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        generation_id = getattr(request, "generation_id_or_member_epoch", -1)
        check = check_member(request, call, generation_id, is_transactional=False)
    rows, errors = accept_rows(request, call, check)
    if rows:
        call.broker.record(events=[OffsetsCommitted(request.group_id, rows)])
    return answer_partitions(request, errors)


def always(error: ErrorCode) -> Check:
    """The same answer for every partition."""
    return lambda _: error


def check_member(request: Any, call: Call, generation_id: int, *, is_transactional: bool) -> Check:
    """What a group of either protocol says to a member, or somebody else, that wants to commit offsets."""
    state = call.broker.state
    instance_id = getattr(request, "group_instance_id", None)
    group = state.consumer_groups.get(request.group_id)
    if group is None:
        error = call.broker.groups.check_commit(
            request.group_id, generation_id, request.member_id, instance_id, transactional=is_transactional
        )
        tells_missing = call.api_version >= EPOCHS_SINCE and not is_transactional
        if error is ErrorCode.group_id_not_found and not tells_missing:
            error = ErrorCode.illegal_generation
        return always(error)
    check = commit_check(
        group,
        request.member_id,
        generation_id,
        instance_id,
        is_transactional=is_transactional,
        tells_epoch=call.api_version >= EPOCHS_SINCE,
    )

    def check_named(partition: tuple[str, int]) -> ErrorCode:
        topic = state.topics.by_name(partition[0])
        return check((topic.id if topic else b"", partition[1]))

    return check_named


def accept_rows(request: Any, call: Call, check: Check) -> tuple[list[OffsetRow], dict[tuple[str, int], ErrorCode]]:
    """The offsets that can be committed, and an error or none for every partition."""
    rows: list[OffsetRow] = []
    errors: dict[tuple[str, int], ErrorCode] = {}
    now_ms = call.broker.now_ms()
    for topic in request.topics:
        for entry in topic.partitions:
            key = topic.name, entry.partition_index
            error = check(key)
            errors[key] = _problem(key, entry, call) if error is ErrorCode.none else error
            if errors[key] is ErrorCode.none:
                epoch = getattr(entry, "committed_leader_epoch", -1)
                metadata = entry.committed_metadata or ""
                rows.append((*key, entry.committed_offset, epoch, metadata, now_ms))
    return rows, errors


def _problem(key: tuple[str, int], entry: Any, call: Call) -> ErrorCode:
    if not call.allows(Operation.READ, ResourceType.TOPIC, key[0]):
        return ErrorCode.topic_authorization_failed
    if call.broker.state.topics.partition(*key) is None:
        return ErrorCode.unknown_topic_or_partition
    if len(entry.committed_metadata or "") > call.broker.config.offset_metadata_max_bytes:
        return ErrorCode.offset_metadata_too_large
    return ErrorCode.none


def answer_partitions(request: Any, errors: dict[tuple[str, int], ErrorCode]) -> Response:
    """The response of OffsetCommit, TxnOffsetCommit and OffsetDelete: an error or none for each partition."""
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": [
                    {
                        "partition_index": entry.partition_index,
                        "error_code": errors[topic.name, entry.partition_index],
                    }
                    for entry in topic.partitions
                ],
            }
            for topic in request.topics
        ]
    }
