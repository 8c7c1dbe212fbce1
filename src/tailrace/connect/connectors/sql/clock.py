"""The forms in which tables hold points in time, and the database's own now in each.

A form is found once, from the column's type or, in SQLite, from a value; queries then compare the column as it is, so
that its index serves.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from tailrace.connect.errors import ConnectError
from tailrace.connect.timestamps import as_utc, from_millis, to_datetime, to_millis

TEXT = re.compile(
    r"\d{4}-\d\d-\d\d(?P<separator>[ T])\d\d:\d\d:\d\d(?:\.(?P<fraction>\d{1,6}))?(?P<zone>Z|[+-]00:?00)?"
)


class Form(Protocol):
    """How a column holds points in time."""

    def read(self, value: Any) -> datetime:
        """Give the moment that a value of the column stands for, in UTC."""

    def write(self, moment: datetime) -> Any:
        """Give the value that stands for a moment, to compare the column with."""

    def before(self, delay_ms: int) -> tuple[str, Any]:
        """Give the moment that lies so far before now: as SQL with the parameter `:before`, and its value."""


@dataclass(frozen=True, slots=True)
class Native:
    """PostgreSQL's timestamps, with time zone or, taken as UTC, without."""

    zoned: bool

    def read(self, value: datetime) -> datetime:
        """Give it in UTC."""
        return as_utc(value)

    def write(self, moment: datetime) -> datetime:
        """Give it with or without zone, as the column is."""
        return moment if self.zoned else moment.replace(tzinfo=None)

    def before(self, delay_ms: int) -> tuple[str, timedelta]:
        """Count back from the server's clock."""
        now = "now()" if self.zoned else "timezone('UTC', now())"
        return f"{now} - :before", timedelta(milliseconds=delay_ms)


@dataclass(frozen=True, slots=True)
class Text:
    """SQLite's text, always with the same separator, digits and zone, so that it sorts by time."""

    separator: str
    digits: int
    zone: str

    def read(self, value: str) -> datetime:
        """Parse it."""
        return to_datetime(value)

    def write(self, moment: datetime) -> str:
        """Write it in the column's way, digits that it has no room for cut off."""
        text = as_utc(moment).strftime(f"%Y-%m-%d{self.separator}%H:%M:%S.%f")
        return text[: 19 + (self.digits and self.digits + 1)] + self.zone

    def before(self, delay_ms: int) -> tuple[str, str]:
        """Count back from this machine's clock: the file is on it."""
        return ":before", self.write(datetime.now(UTC) - timedelta(milliseconds=delay_ms))


@dataclass(frozen=True, slots=True)
class EpochMillis:
    """Whole milliseconds since 1970."""

    def read(self, value: int) -> datetime:
        """Give the moment."""
        return from_millis(value)

    def write(self, moment: datetime) -> int:
        """Give the milliseconds."""
        return to_millis(moment)

    def before(self, delay_ms: int) -> tuple[str, int]:
        """Count back from this machine's clock."""
        return ":before", to_millis(datetime.now(UTC)) - delay_ms


def form_of_type(column: Any, dialect: str) -> Form | None:
    """Find the form by the column's SQL type; None when only its values tell."""
    if isinstance(column, sa.Integer):
        return EpochMillis()
    if dialect == "postgresql" and isinstance(column, sa.DateTime):
        return Native(bool(column.timezone))
    return None


def form_of_value(value: Any, where: str) -> Form:
    """Find the form by a value. Raises ConnectError when it is no point in time."""
    if isinstance(value, int):
        return EpochMillis()
    if isinstance(value, str) and (match := TEXT.fullmatch(value)):
        return Text(match["separator"], len(match["fraction"] or ""), match["zone"] or "")
    raise ConnectError(
        f"{where} holds {value!r}; expected a timestamp, YYYY-MM-DD HH:MM:SS.mmm in UTC, or milliseconds since 1970"
    )
