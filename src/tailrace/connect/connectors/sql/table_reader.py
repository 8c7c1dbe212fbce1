"""Reads one table of a source from a position on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from tailrace.connect.connectors.sql.clock import Form, form_of_type, form_of_value
from tailrace.connect.connectors.sql.database import Column, Database
from tailrace.connect.connectors.sql.position import Position, from_offset, partition_of, to_offset
from tailrace.connect.connectors.sql.query import Select, timestamp_expression
from tailrace.connect.connectors.sql.types import table_schema
from tailrace.connect.errors import ConnectError
from tailrace.connect.record import Offset, Record

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that follow a position, and whether more may follow them."""

    rows: Sequence[Row] = ()
    more: bool = False


class TableReader:
    """A table, how it is read, and how far."""

    def __init__(self, database: Database, table: str, settings: Mapping[str, Any], offset: Offset | None) -> None:
        columns = {column.name: column for column in database.columns(table)}
        self._database = database
        self._table = table
        self._limit: int = settings["batch.max.rows"]
        self._delay_ms: int = settings["timestamp.delay.interval.ms"]
        self._timestamps: list[str] = settings["timestamp.column.name"] or []
        self._incrementing: str | None = settings["incrementing.column.name"]
        self._check(columns, settings["validate.non.null"])
        self._columns = list(columns)
        self._form = form_of_type(columns[self._timestamps[0]].type, database.dialect) if self._timestamps else None
        self._position = from_offset(offset)
        self._partition = partition_of(table)
        self._topic: str = settings["topic.prefix"] + table
        types = {name: column.type for name, column in columns.items()} | dict.fromkeys(self._timestamps, sa.DateTime())
        self._schema = table_schema(
            table.replace(".", "_"), {name: (types[name], column.nullable) for name, column in columns.items()}
        )

    def read(self) -> Rows:
        """Read the next rows, without moving on. Raises RetriableError."""
        if self._timestamps:
            return self._read_by_timestamp()
        if self._incrementing is None:
            return Rows(self._rows(self._select().whole(), {}))
        select, after = self._select(), self._position.incrementing
        if after is None:
            return self._batch(select.first(), {})
        return self._batch(select.after(), {"incrementing": after})

    def advance(self, rows: Rows) -> list[tuple[Offset, Offset]]:
        """Move behind the rows and give the offset there, if any."""
        if not rows.rows or not (self._timestamps or self._incrementing):
            return []
        last = rows.rows[-1]
        self._position = Position(
            timestamp=self._moment(last) if self._timestamps else None,
            incrementing=last[self._incrementing] if self._incrementing else None,
        )
        return [(self._partition, to_offset(self._position))]

    def records(self, rows: Rows) -> list[Record]:
        """Give the rows as records without key."""
        return [Record(self._topic, None, row, self._schema) for row in rows.rows]

    def _read_by_timestamp(self) -> Rows:
        form = self._form = self._form or self._form_of_values()
        if form is None:
            return Rows()
        sql, before = form.before(self._delay_ms)
        select, after = self._select(sql), self._position
        parameters: Row = {"before": before}
        if after.timestamp is None:
            rows = self._batch(select.first(), parameters)
        else:
            parameters["timestamp"] = form.write(after.timestamp)
            if self._incrementing is not None:
                parameters["incrementing"] = after.incrementing or 0
            rows = self._batch(select.after(), parameters)
        return self._with_tie(rows, form) if rows.more and self._incrementing is None else rows

    def _with_tie(self, batch: Rows, form: Form) -> Rows:
        """Have the batch end with all rows of its last timestamp, since nothing else tells them apart."""
        last = self._moment(batch.rows[-1])
        whole = [row for row in batch.rows if self._moment(row) != last]
        tie = self._rows(self._select().rest_of_tie(), {"timestamp": form.write(last)})
        return Rows([*whole, *tie], more=True)

    def _batch(self, sql: str, parameters: Mapping[str, Any]) -> Rows:
        rows = self._rows(sql, {**parameters, "limit": self._limit})
        return Rows(rows, more=len(rows) == self._limit)

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        rows = [dict(zip(self._columns, row, strict=True)) for row in self._database.rows(sql, parameters)]
        if self._form is not None:
            for row in rows:
                for name in self._timestamps:
                    row[name] = None if row[name] is None else self._form.read(row[name])
        return rows

    def _moment(self, row: Row) -> datetime:
        moment: datetime = next(row[name] for name in self._timestamps if row[name] is not None)
        return moment

    def _form_of_values(self) -> Form | None:
        """Find the form by a value, None while the table has none."""
        found = self._database.rows(self._select().any_timestamp(), {})
        if not found:
            return None
        return form_of_value(found[0][0], f"{self._table}.{self._timestamps[0]} in {self._database}")

    def _select(self, before: str | None = None) -> Select:
        quote = self._database.quote
        return Select(
            table=quote(self._table),
            columns=[quote(name) for name in self._columns],
            timestamp=timestamp_expression([quote(name) for name in self._timestamps]) if self._timestamps else None,
            incrementing=quote(self._incrementing) if self._incrementing else None,
            before=before,
        )

    def _check(self, columns: Mapping[str, Column], must_be_set: bool) -> None:
        place = f"table {self._table} in {self._database}"
        for name in [*self._timestamps, *([self._incrementing] if self._incrementing else [])]:
            if name not in columns:
                raise ConnectError(f"{place} has no column {name}, it has {', '.join(columns)}")
        if not must_be_set:
            return
        suspects = [self._timestamps, [self._incrementing] if self._incrementing else []]
        for group in suspects:
            if group and all(columns[name].nullable for name in group):
                raise ConnectError(
                    f"{place}: {', '.join(group)} may be null, and such rows would never be read;"
                    " declare it NOT NULL, or set validate.non.null=false"
                )
