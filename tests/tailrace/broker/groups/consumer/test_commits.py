"""Who may commit and fetch offsets of a consumer group."""

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.groups.consumer.commits import commit_check, fetch_error
from tailrace.broker.groups.consumer.group import ConsumerGroup
from tailrace.broker.groups.consumer.member import Member

from .room import GROUP, owned

[NEW] = owned("topic", 0)
[OLD] = owned("topic", 1)
[LEAVING] = owned("topic", 2)
[FOREIGN] = owned("topic", 3)
NONE, STALE, UNKNOWN = ErrorCode.none, ErrorCode.stale_member_epoch, ErrorCode.unknown_member_id


def group(*members: Member) -> ConsumerGroup:
    made = ConsumerGroup(GROUP)
    for member in members:
        made.put(member)
    return made


ME = Member("me", epoch=5, assigned={NEW: 5, OLD: 3}, revoking={LEAVING: 2})


@pytest.mark.parametrize(
    ("member_id", "epoch", "errors"),
    [
        ("me", 5, [NONE, NONE, NONE, NONE]),
        ("me", 6, [STALE, STALE, STALE, STALE]),
        ("me", 4, [STALE, NONE, NONE, STALE]),
        ("me", 2, [STALE, STALE, NONE, STALE]),
        ("me", -1, [STALE, STALE, STALE, STALE]),
        ("you", 5, [UNKNOWN] * 4),
        ("", -1, [UNKNOWN] * 4),
    ],
)
@pytest.mark.parametrize("is_transactional", [False, True])
def test_a_member_commits_what_it_has(
    member_id: str, epoch: int, errors: list[ErrorCode], is_transactional: bool
) -> None:
    check = commit_check(group(ME), member_id, epoch, None, is_transactional=is_transactional, tells_epoch=True)
    if is_transactional and not member_id:
        errors = [NONE] * 4  # a producer that does not say for whom
    assert [check(partition) for partition in (NEW, OLD, LEAVING, FOREIGN)] == errors


def test_a_request_that_cannot_tell_an_epoch_is_refused() -> None:
    check = commit_check(group(ME), "me", 5, None, is_transactional=False, tells_epoch=False)
    assert check(NEW) is ErrorCode.unsupported_version


def test_anybody_commits_for_an_empty_group() -> None:
    assert commit_check(group(), "", -1, None, is_transactional=False, tells_epoch=False)(NEW) is NONE
    assert commit_check(group(), "me", 5, None, is_transactional=False, tells_epoch=True)(NEW) is UNKNOWN


@pytest.mark.parametrize(
    ("member_id", "epoch", "error"),
    [(None, -1, NONE), ("me", 5, NONE), ("me", 4, STALE), ("me", 6, STALE), ("you", 5, UNKNOWN), (None, 5, UNKNOWN)],
)
def test_a_member_fetches_in_its_epoch(member_id: str | None, epoch: int, error: ErrorCode) -> None:
    assert fetch_error(group(ME), member_id, epoch) is error
