"""The queries of the source: text only, no database.

Every query takes rows in the order in which they are read, after a position, up to a limit. Rows with the timestamp
of the position are told apart by the incrementing column; where there is none, `rest_of_tie` completes a batch that
ends amid equal timestamps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Quote: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Select:
    """What is read of a table: all names quoted; `timestamp` an expression, `before` the upper limit for it."""

    table: str
    columns: Sequence[str]
    timestamp: str | None = None
    incrementing: str | None = None
    before: str | None = None

    def whole(self) -> str:
        """Read all rows."""
        return self._select([], [])

    def first(self) -> str:
        """Read from the beginning; parameters `:before` (with timestamps) and `:limit`."""
        return self._ordered([])

    def after(self) -> str:
        """Read what follows a position; parameters `:timestamp`, `:incrementing` (as there are) besides."""
        ts, inc = self.timestamp, self.incrementing
        if ts is None:
            return self._ordered([f"{inc} > :incrementing"])
        if inc is None:
            return self._ordered([f"{ts} > :timestamp"])
        # The first condition follows from the second; it is there so that an index on the timestamp is used.
        return self._ordered([f"{ts} >= :timestamp", f"({ts} > :timestamp OR {inc} > :incrementing)"])

    def rest_of_tie(self) -> str:
        """Read all rows with the timestamp `:timestamp`."""
        return self._select([f"{self.timestamp} = :timestamp"], [])

    def any_timestamp(self) -> str:
        """Read one timestamp, whichever."""
        return f"SELECT {self.timestamp} FROM {self.table} WHERE {self.timestamp} IS NOT NULL LIMIT 1"

    def _ordered(self, conditions: list[str]) -> str:
        if self.timestamp is not None:
            conditions = [*conditions, f"{self.timestamp} < {self.before}"]
        order = [column for column in (self.timestamp, self.incrementing) if column is not None]
        return self._select(conditions, order) + " LIMIT :limit"

    def _select(self, conditions: list[str], order: list[str]) -> str:
        sql = f"SELECT {', '.join(self.columns)} FROM {self.table}"
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        return sql


def timestamp_expression(columns: Sequence[str]) -> str:
    """Give what a row's timestamp is: the first of the columns (quoted) that is not null."""
    return columns[0] if len(columns) == 1 else f"COALESCE({', '.join(columns)})"
