"""When restoring will be done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left of a piece of work that goes on as fast as it went until now."""

    of: int
    records_per_second: int
    seconds_left: int | None


def estimate(records: int, passed: int, left: int, seconds: float) -> Estimate:
    """Estimate from the `records` read and the offsets `passed` in so many seconds; `left` are the offsets to come.

    Offsets are more than records where a topic was compacted or transactions ended, and only offsets are known ahead.
    `seconds_left` is None as long as none has passed.
    """
    seconds_left = round(left * seconds / passed) if passed > 0 else None
    return Estimate(records + left, round(records / seconds) if seconds > 0 else 0, seconds_left)
