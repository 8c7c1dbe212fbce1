"""What the broker reads of the members' own protocol."""

import struct

import pytest

from tailrace.broker.groups.state import Group, Member
from tailrace.broker.groups.subscription import subscribed_topics


def subscribed(metadata: bytes) -> set[str]:
    group = Group("group")
    group.add(Member("member", None, "client", "/127.0.0.1", 6000, 6000, (("range", metadata),)))
    return subscribed_topics(group)


def test_topics_are_found() -> None:
    assert subscribed(struct.pack(">hih1sh2si", 1, 2, 1, b"a", 2, b"bc", 0)) == {"a", "bc"}


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"something else", id="another protocol"),
        pytest.param(struct.pack(">hih", 0, 2**31 - 1, -2), id="a negative size, which would be read again and again"),
        pytest.param(struct.pack(">hih1s", 0, 1, 1, b"\xff"), id="no UTF-8"),
    ],
)
def test_other_content_subscribes_to_nothing(metadata: bytes) -> None:
    assert subscribed(metadata) == set()
