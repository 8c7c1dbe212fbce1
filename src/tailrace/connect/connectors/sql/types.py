"""Avro's types and the databases' types, each as the other, and values made ready for a column."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from tailrace.connect.record import Schema
from tailrace.connect.timestamps import as_utc, to_millis

Bind: TypeAlias = Callable[[Any], Any]
"""Turns a record's value into one that the database's driver takes for a column."""


def avro_type(column: Any) -> Any:
    """Give the Avro type for the values of an SQL type; text for what has none."""
    match column:
        case sa.Boolean():
            return "boolean"
        case sa.BigInteger():
            return "long"
        case sa.SmallInteger():
            return "int"
        case sa.Integer():
            return "long"
        case sa.Float():
            return "double"
        case sa.Numeric() if column.precision is not None:
            return {
                "type": "bytes",
                "logicalType": "decimal",
                "precision": column.precision,
                "scale": column.scale or 0,
            }
        case sa.DateTime():
            return {"type": "long", "logicalType": "timestamp-millis"}
        case sa.Date():
            return {"type": "int", "logicalType": "date"}
        case sa.LargeBinary():
            return "bytes"
        case _:
            return "string"


def sql_type(schema: Any) -> Any:
    """Give the SQL type for the values of an Avro type."""
    if isinstance(schema, list):
        return sql_type(next((branch for branch in schema if branch != "null"), "string"))
    if isinstance(schema, str):
        return _SQL_TYPES.get(schema, sa.Text)()
    match schema.get("logicalType"):
        case "timestamp-millis" | "timestamp-micros":
            return sa.DateTime(timezone=True)
        case "date":
            return sa.Date()
        case "decimal":
            return sa.Numeric(schema["precision"], schema.get("scale", 0))
    if schema["type"] in ("record", "array", "map"):
        return sa.JSON()
    return sql_type(schema["type"])


def is_nullable(schema: Any) -> bool:
    """Tell whether an Avro type has null."""
    return schema == "null" or (isinstance(schema, list) and "null" in schema)


def table_schema(name: str, columns: dict[str, tuple[Any, bool]]) -> Schema:
    """Give the Avro schema for rows; `columns` by name: SQL type, nullable."""
    fields = []
    for column, (type_, nullable) in columns.items():
        avro = avro_type(type_)
        fields.append(
            {"name": column, "type": ["null", avro], "default": None} if nullable else {"name": column, "type": avro}
        )
    return {"type": "record", "name": name, "fields": fields}


def bind_for(column: Any, dialect: str) -> Bind:
    """Give what makes values ready for a column of this SQL type."""
    if dialect == "sqlite":
        return _sqlite_whole if isinstance(column, sa.Integer) else _sqlite
    if isinstance(column, sa.DateTime) and not column.timezone:
        return lambda value: as_utc(value).replace(tzinfo=None) if isinstance(value, datetime) else value
    if isinstance(column, sa.Integer):
        return lambda value: to_millis(value) if isinstance(value, datetime) else value
    if isinstance(column, sa.String):
        return lambda value: value.isoformat() if isinstance(value, datetime) else _postgresql(value)
    if isinstance(column, sa.ARRAY):
        return lambda value: value
    return _postgresql


def _postgresql(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, dict | list) else value


def _sqlite_whole(value: Any) -> Any:
    return to_millis(value) if isinstance(value, datetime) else _sqlite(value)


def _sqlite(value: Any) -> Any:
    """SQLite has no moments: they are text as its own strftime('%Y-%m-%d %H:%M:%f') writes it."""
    if isinstance(value, datetime):
        return as_utc(value).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return str(value)


_SQL_TYPES: dict[str, Any] = {
    "boolean": sa.Boolean,
    "int": sa.Integer,
    "long": sa.BigInteger,
    "float": sa.Float,
    "double": sa.Double,
    "bytes": sa.LargeBinary,
    "string": sa.Text,
}
