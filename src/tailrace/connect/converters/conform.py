"""Makes the values of a database row fit an Avro schema.

What a database gives is close to what a contract wants, but not the same: SQLite has neither booleans nor points in
time, PostgreSQL has UUIDs. Only conversions without loss are made; a row's extra fields are left out, since the
contract says what is published.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from tailrace.connect.record import Schema
from tailrace.connect.timestamps import to_datetime, to_millis

Conform: TypeAlias = Callable[[Any], Any]
"""Turns a value into one that fastavro encodes. Raises ValueError."""


def conformer(schema: Any, named: dict[str, Conform] | None = None) -> Conform:
    """Build the conversion for a schema as `fastavro.parse_schema` gives it."""
    named = {} if named is None else named
    if isinstance(schema, list):
        return _union(schema, named)
    if isinstance(schema, str):
        return named.get(schema) or _PRIMITIVES.get(schema) or (lambda value: named[schema](value))
    logical = _LOGICAL.get(schema.get("logicalType", ""))
    if logical is not None:
        return logical(schema)
    match schema["type"]:
        case "record":
            return _record(schema, named)
        case "array":
            items = conformer(schema["items"], named)
            return lambda value: [items(item) for item in value]
        case "map":
            values = conformer(schema["values"], named)
            return lambda value: {key: values(item) for key, item in value.items()}
        case "enum":
            named[schema["name"]] = _string
            return _string
        case "fixed":
            named[schema["name"]] = _bytes
            return _bytes
        case type_:
            return conformer(type_, named)


def _record(schema: Schema, named: dict[str, Conform]) -> Conform:
    def conform(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{schema['name']} needs fields, not {type(value).__name__}")
        conformed = {}
        for name, field_conform, default in fields:
            try:
                conformed[name] = field_conform(value[name]) if name in value else _defaulted(default)
            except ValueError as error:
                raise ValueError(f"field {name}: {error}") from None
        return conformed

    named[schema["name"]] = conform
    fields = [(f["name"], conformer(f["type"], named), f.get("default", _MISSING)) for f in schema["fields"]]
    return conform


_MISSING: Any = object()


def _defaulted(default: Any) -> Any:
    if default is _MISSING:
        raise ValueError("is missing and has no default")
    return default


def _union(branches: list[Any], named: dict[str, Conform]) -> Conform:
    others = [branch for branch in branches if branch != "null"]
    conforms = [conformer(branch, named) for branch in others]
    nullable = len(others) < len(branches)

    def conform(value: Any) -> Any:
        if value is None and nullable:
            return None
        problem = ValueError(f"{value!r} fits no branch")
        for branch in conforms:
            try:
                return branch(value)
            except ValueError as error:
                problem = error
        raise problem

    return conform


def _null(value: Any) -> None:
    if value is not None:
        raise ValueError(f"{value!r} is not null")


def _boolean(value: Any) -> bool:
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise ValueError(f"{value!r} is not a boolean")


def _whole(bits: int) -> Conform:
    limit = 1 << (bits - 1)

    def conform(value: Any) -> int:
        if isinstance(value, datetime):
            value = to_millis(value)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        if not isinstance(value, int) or not -limit <= value < limit:
            raise ValueError(f"{value!r} is not a whole number of {bits} bits")
        return int(value)

    return conform


def _floating(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    raise ValueError(f"{value!r} is not text")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ValueError(f"{value!r} is not bytes")


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        raise ValueError(f"{value!r} has a time of day")
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return date.fromisoformat(value)
    raise ValueError(f"{value!r} is not a date")


def _uuid(value: Any) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(_string(value))


def _decimal(schema: Schema) -> Conform:
    unit = Decimal(1).scaleb(-schema.get("scale", 0))

    def conform(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ValueError(f"{value!r} is not a decimal")
        try:
            exact = Decimal(value).quantize(unit)
        except InvalidOperation:
            exact = None
        if exact is None or exact != Decimal(value):
            raise ValueError(f"{value!r} is not a decimal with unit {unit}")
        return exact

    return conform


_PRIMITIVES: dict[str, Conform] = {
    "null": _null,
    "boolean": _boolean,
    "int": _whole(32),
    "long": _whole(64),
    "float": _floating,
    "double": _floating,
    "string": _string,
    "bytes": _bytes,
}
_LOGICAL: dict[str, Callable[[Schema], Conform]] = {
    "timestamp-millis": lambda schema: to_datetime,
    "timestamp-micros": lambda schema: to_datetime,
    "date": lambda schema: _date,
    "uuid": lambda schema: _uuid,
    "decimal": _decimal,
}
