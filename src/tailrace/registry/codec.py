"""Avro bodies to values and back, by fastavro; Struct classes by way of msgspec.

Points in time stay integers in the schema's own unit: the logical types of times are not applied.
"""

from decimal import Decimal
from io import BytesIO
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

import msgspec

from tailrace.registry.schema import Record, Schema

T = TypeVar("T")

NATIVE = (bytes, bytearray, Decimal, UUID)
"""What fastavro takes and gives as it is."""


class Codec(Protocol[T]):
    """Converts the Avro body of a record, without the header that names the schema."""

    def encode(self, value: T) -> bytes:
        """Give the Avro body of a value; any exception means that the value does not fit the schema."""

    def decode(self, data: bytes, start: int) -> T:
        """Give the value whose body fills `data[start:]`; any exception means that it is none."""


class FastavroCodec(Generic[T]):
    """Reads what `writer` wrote, as `reader` sees it; writes with `reader`.

    `type`: a msgspec Struct class, or None for plain dicts and lists.
    """

    def __init__(self, reader: str, writer: str, type: type[T] | None) -> None:  # noqa: A002
        import fastavro

        self._reader = fastavro.parse_schema(_without_times(msgspec.json.decode(reader)))
        self._writer = fastavro.parse_schema(_without_times(msgspec.json.decode(writer)))
        self._reader_schema = None if reader == writer else self._reader
        self._type = type
        self._write = fastavro.schemaless_writer
        self._read = fastavro.schemaless_reader

    def encode(self, value: T) -> bytes:
        """Give the Avro body of a value."""
        data = value if self._type is None else msgspec.to_builtins(value, builtin_types=NATIVE)
        out = BytesIO()
        self._write(out, self._reader, data, strict_allow_default=True)
        return out.getvalue()

    def decode(self, data: bytes, start: int) -> T:
        """Give the value whose body fills `data[start:]`."""
        stream = BytesIO(data)
        stream.seek(start)
        decoded = self._read(stream, self._writer, self._reader_schema)
        if stream.tell() != len(data):
            raise ValueError(f"{len(data) - stream.tell()} bytes follow the value")
        return cast(T, decoded if self._type is None else msgspec.convert(decoded, self._type, builtin_types=NATIVE))


def check_fields(schema: Schema, type: type) -> None:  # noqa: A002
    """Raise TypeError unless the fields of a Struct class are those of a record schema."""
    if not isinstance(schema, Record) or not issubclass(type, msgspec.Struct):
        raise TypeError(f"{type.__name__} cannot hold Avro {schema.kind}; expected a msgspec.Struct and a record")
    fields = {f.encode_name for f in msgspec.structs.fields(type)}
    declared = {f.name for f in schema.fields}
    if fields != declared:
        missing, unknown = sorted(declared - fields), sorted(fields - declared)
        raise TypeError(
            f"{type.__name__} does not match schema {schema.fullname}: "
            f"the class lacks {missing or 'nothing'}, the schema lacks {unknown or 'nothing'}"
        )


def _without_times(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_times(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value if key == "default" else _without_times(value)
        for key, value in node.items()
        if key != "logicalType" or not is_time(value)
    }


def is_time(logical_type: object) -> bool:
    """Whether a logical type is one of dates, times or points in time."""
    return str(logical_type).startswith(("timestamp-", "local-timestamp-", "time-", "date"))
