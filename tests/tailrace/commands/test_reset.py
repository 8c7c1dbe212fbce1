"""Every target of `groups reset-offsets`, against every place that an offset can be."""

import pytest

from tailrace.commands.failure import CommandFailed
from tailrace.commands.reset import Bounds, Target, new_offset

BOUNDS = Bounds(10, 20)


@pytest.mark.parametrize(
    ("target", "committed", "at_timestamp", "expected"),
    [
        (Target(to_earliest=True), None, -1, 10),
        (Target(to_latest=True), 3, -1, 20),
        (Target(to_offset=15), None, -1, 15),
        (Target(to_offset=9), None, -1, 10),
        (Target(to_offset=21), None, -1, 20),
        (Target(to_offset=0), None, -1, 10),
        (Target(to_timestamp=5), None, 12, 12),
        (Target(to_timestamp=5), None, -1, 20),
        (Target(shift_by=3), 12, -1, 15),
        (Target(shift_by=-3), 12, -1, 10),
        (Target(shift_by=30), 12, -1, 20),
        (Target(shift_by=0), 5, -1, 10),
    ],
)
def test_the_new_offset(target: Target, committed: int | None, at_timestamp: int, expected: int) -> None:
    assert new_offset(target, committed, BOUNDS, at_timestamp) == expected


def test_nothing_can_be_shifted_that_was_not_committed() -> None:
    with pytest.raises(CommandFailed, match="without committed offset"):
        new_offset(Target(shift_by=1), None, BOUNDS, -1)


def test_exactly_one_target_is_asked_for() -> None:
    assert Target.only(to_earliest=False, to_offset=0) == Target(to_offset=0)
    assert Target.only(to_earliest=True, shift_by=None) == Target(to_earliest=True)
    for wishes in ({}, {"to_earliest": True, "shift_by": 0}):
        with pytest.raises(CommandFailed, match="expected exactly one of --to-earliest, --to-latest"):
            Target.only(**wishes)
