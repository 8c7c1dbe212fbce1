"""Points in time as Connect holds them: `datetime` in UTC, and what else may stand for one."""

from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_utc(value: datetime) -> datetime:
    """Give the same moment in UTC; one without a zone is taken to be in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def from_millis(millis: int) -> datetime:
    """Give the moment so many milliseconds after 1970."""
    return EPOCH + timedelta(milliseconds=millis)


def to_millis(moment: datetime) -> int:
    """Give whole milliseconds since 1970, rounded down."""
    return (as_utc(moment) - EPOCH) // timedelta(milliseconds=1)


def to_datetime(value: Any) -> datetime:
    """Read a moment: a datetime, ISO 8601 text, or milliseconds since 1970. Raises ValueError."""
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, str):
        return as_utc(datetime.fromisoformat(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return from_millis(value)
    raise ValueError(f"{value!r} is not a point in time")
