"""How far a table was read: in memory, and as an offset in the format of the JDBC source connectors."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tailrace.connect.record import Offset
from tailrace.connect.timestamps import from_millis, to_millis


@dataclass(frozen=True, slots=True)
class Position:
    """The last row read: its timestamp, its incrementing number, whichever of them the mode uses."""

    timestamp: datetime | None = None
    incrementing: int | None = None


def partition_of(table: str) -> Offset:
    """Give the part of the source that a table is."""
    return {"protocol": "1", "table": table}


def to_offset(position: Position) -> Offset:
    """Give the offset: `timestamp` in milliseconds, `timestamp_nanos` the whole fraction of its second."""
    offset = {}
    if position.incrementing is not None:
        offset["incrementing"] = position.incrementing
    if position.timestamp is not None:
        offset["timestamp"] = to_millis(position.timestamp)
        offset["timestamp_nanos"] = position.timestamp.microsecond * 1000
    return offset


def from_offset(offset: Offset | None) -> Position:
    """Read an offset; None, or what is missing in it, is the beginning."""
    offset = offset or {}
    timestamp = None
    if (millis := offset.get("timestamp")) is not None:
        fraction = timedelta(microseconds=offset.get("timestamp_nanos", millis % 1000 * 1_000_000) // 1000)
        timestamp = from_millis(millis - millis % 1000) + fraction
    return Position(timestamp, offset.get("incrementing"))
