"""What moves through Connect: a record with decoded key and value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tailrace.connect.errors import DataError

Schema: TypeAlias = dict[str, Any]
"""An Avro schema as decoded JSON."""

Offset: TypeAlias = Mapping[str, Any]
"""A source's position, or the part of the source that it belongs to; anything JSON can hold."""


@dataclass(slots=True)
class Record:
    """One record between a connector and a topic.

    `value`: of a row a dict by field name, its values in Python's own types (`datetime` with time zone, `Decimal`,
    `bytes`, ...); None is a tombstone. `schema`: that of the value, None where the format has none.
    `origin`: for a sink, Kafka's message as it was.
    """

    topic: str
    key: Any
    value: Any
    schema: Schema | None = None
    timestamp_ms: int | None = None
    partition: int | None = None
    offset: int | None = None
    origin: Any = None


def fields_of(value: Any, part: str) -> dict[str, Any]:
    """Give the fields of a record's key or value; `part` says which it is. Raises DataError when it has none."""
    if not isinstance(value, dict):
        raise DataError(f"the {part} is {type(value).__name__}, expected fields by name")
    return value
