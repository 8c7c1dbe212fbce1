"""Writes rows into one table of a sink."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from tailrace.connect.connectors.sql import statement
from tailrace.connect.connectors.sql.database import Column, Database
from tailrace.connect.connectors.sql.row import Change
from tailrace.connect.connectors.sql.types import bind_for, is_nullable, sql_type
from tailrace.connect.errors import ConnectError


class TableWriter:
    """A table and the statements for it, made once for each set of columns."""

    def __init__(self, database: Database, table: str, settings: Mapping[str, Any]) -> None:
        self._database = database
        self._table = table
        self._upserts: bool = settings["insert.mode"] == "upsert"
        self._creates: bool = settings["auto.create"]
        self._columns: dict[str, Column] = {}
        self._statements: dict[tuple[Any, ...], sa.TextClause] = {}

    def prepare(self, change: Change) -> None:
        """See to it that the table is there and has the change's columns. Raises ConnectError when it has not."""
        if not self._columns:
            if self._creates and not self._database.has_table(self._table):
                self._create(change)
            self._look()
        if not change.row.keys() <= self._columns.keys():
            self._look()  # the table may have been altered
        if missing := change.row.keys() - self._columns.keys():
            raise ConnectError(
                f"table {self._table} in {self._database} has no column for the field {', '.join(sorted(missing))};"
                " add it, or leave the field out with the transform ReplaceField or with fields.whitelist"
            )

    def write(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        """Write changes that are all alike."""
        first = changes[0]
        columns = [*first.row]
        binds = [
            (f"p{i}", name, bind_for(self._columns[name].type, self._database.dialect))
            for i, name in enumerate(columns)
        ]
        rows = [{parameter: bind(change.row[name]) for parameter, name, bind in binds} for change in changes]
        connection.execute(self._statement(columns, first.keys, first.deletes), rows)

    def _look(self) -> None:
        self._columns = {column.name: column for column in self._database.columns(self._table)}
        self._statements.clear()

    def _statement(self, columns: Sequence[str], keys: Sequence[str], deletes: bool) -> sa.TextClause:
        wanted = (deletes, tuple(keys), *columns)
        made = self._statements.get(wanted)
        if made is None:
            made = self._statements[wanted] = sa.text(self._sql(columns, keys, deletes))
        return made

    def _sql(self, columns: Sequence[str], keys: Sequence[str], deletes: bool) -> str:
        quote = self._database.quote
        table, quoted_keys = quote(self._table), [quote(key) for key in keys]
        if deletes:
            return statement.delete(table, quoted_keys)
        quoted = [quote(column) for column in columns]
        if not self._upserts:
            return statement.insert(table, quoted)
        return statement.upsert(table, quoted, quoted_keys, self._distinct(columns))

    def _distinct(self, columns: Sequence[str]) -> str | None:
        if self._database.dialect == "sqlite":
            return "IS NOT"
        types = [self._columns[name].type for name in columns]
        json = any(isinstance(type_, sa.JSON) and not isinstance(type_, JSONB) for type_ in types)
        return None if json else "IS DISTINCT FROM"

    def _create(self, change: Change) -> None:
        """Create the table for rows like this one."""
        schema = change.record.schema or {}
        types = {field["name"]: field["type"] for field in schema.get("fields", ())}
        unknown = [name for name in change.row if name not in types and name not in change.keys]
        if unknown:
            raise ConnectError(
                f"auto.create cannot tell the type of {', '.join(unknown)} for table {self._table}: the records have"
                " no schema; create the table, or use AvroConverter"
            )
        place, _, name = self._table.rpartition(".")
        columns = [
            sa.Column(
                column,
                sql_type(types[column]) if column in types else _type_of(change.row[column]),
                primary_key=column in change.keys,
                nullable=column not in change.keys and is_nullable(types.get(column)),
                autoincrement=False,
            )
            for column in change.row
        ]
        with self._database.transaction() as connection:
            sa.Table(name, sa.MetaData(), *columns, schema=place or None).create(connection, checkfirst=True)


def _type_of(value: Any) -> sa.types.TypeEngine[Any]:
    return sa.BigInteger() if isinstance(value, int) else sa.Text()
