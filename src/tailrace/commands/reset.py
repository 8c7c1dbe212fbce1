"""Where `groups reset-offsets` moves a group to."""

from typing import NamedTuple, Self

from tailrace.commands.failure import CommandFailed


class Bounds(NamedTuple):
    """Where a partition begins, and the offset behind its last committed record."""

    earliest: int
    latest: int


class Target(NamedTuple):
    """What was asked for: one of these, the others are False or None."""

    to_earliest: bool = False
    to_latest: bool = False
    to_offset: int | None = None
    to_timestamp: int | None = None
    shift_by: int | None = None

    @classmethod
    def only(cls, **asked: int | None) -> Self:
        """Take exactly one wish. Raises CommandFailed when there is another number of them."""
        wishes = [name for name, value in asked.items() if value is not None and value is not False]
        if len(wishes) != 1:
            options = ", ".join("--" + name.replace("_", "-") for name in cls._fields)
            raise CommandFailed(f"{len(wishes)} targets are given, expected exactly one of {options}")
        return cls(**{wishes[0]: asked[wishes[0]]})  # type: ignore[arg-type]


def new_offset(target: Target, committed: int | None, bounds: Bounds, at_timestamp: int) -> int:
    """The offset to move to, within the partition; `at_timestamp` is -1 when all records are older.

    Raises CommandFailed when a partition is to be shifted that has no committed offset.
    """
    if target.to_earliest:
        return bounds.earliest
    if target.to_latest:
        return bounds.latest
    if target.to_timestamp is not None:
        wanted = at_timestamp if at_timestamp >= 0 else bounds.latest
    elif target.shift_by is not None:
        if committed is None:
            raise CommandFailed("a partition without committed offset cannot be shifted; give another target")
        wanted = committed + target.shift_by
    else:
        assert target.to_offset is not None
        wanted = target.to_offset
    return min(max(wanted, bounds.earliest), bounds.latest)
