"""Encoding of responses, compiled once per version from the message classes of `kio`.

A response is written as plain dictionaries with the field names of `kio`, the same for every version: a version takes
the fields that it has and leaves the others out, and a field that is not given has the default of Kafka's message
definition, or zero, empty or null. So handlers do not care about versions unless behaviour differs, and the encoder
makes no objects. Durations and times are integers in milliseconds, topic ids are `uuid.UUID`.

An encoder appends parts to a list, so that record data goes to the socket without being copied.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import groupby
from types import NoneType
from typing import Any, get_args, get_origin
from uuid import UUID

from tailrace.wire.varint import unsigned_varint

Parts = list[bytes]
Encode = Callable[[Any, Parts], None]

NULL_UUID = bytes(16)
EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)
NUMBERS = {
    "bool": ">?",
    "int8": ">b",
    "int16": ">h",
    "int32": ">i",
    "int64": ">q",
    "uint16": ">H",
    "uint32": ">I",
    "float64": ">d",
    "error_code": ">h",
    "timedelta_i32": ">i",
    "timedelta_i64": ">q",
    "datetime_i64": ">q",
}


def struct_encoder(schema: type[Any]) -> Encode:
    """Compile the encoder of a message class of `kio`, or of a struct inside one."""
    flexible: bool = schema.__flexible__
    plain = [field for field in fields(schema) if "tag" not in field.metadata]
    steps = [step for is_number, run in groupby(plain, _is_number) for step in _steps(list(run), is_number, flexible)]
    tagged = sorted(
        (field.metadata["tag"], *_named(field, flexible)) for field in fields(schema) if "tag" in field.metadata
    )

    def encode(value: Mapping[str, Any], out: Parts) -> None:
        for step in steps:
            step(value, out)
        if tagged:
            _encode_tagged(value, tagged, out)
        elif flexible:
            out.append(b"\0")

    return encode


def _is_number(field: Field[Any]) -> bool:
    return field.metadata.get("kafka_type") in NUMBERS and not classify(field.type)[0]


def _steps(run: list[Field[Any]], is_number: bool, flexible: bool) -> list[Encode]:
    """Encoders of consecutive fields, which take the values from the struct; numbers are packed together."""
    if not is_number:
        return [_field_encoder(*_named(field, flexible)) for field in run]
    pack = struct.Struct(">" + "".join(NUMBERS[field.metadata["kafka_type"]][1:] for field in run)).pack
    defaults = [(field.name, _default(field)) for field in run]

    def encode(value: Mapping[str, Any], out: Parts) -> None:
        get = value.get
        out.append(pack(*[get(name, default) for name, default in defaults]))

    return [encode]


def _field_encoder(name: str, encode: Encode, default: Any) -> Encode:
    return lambda value, out: encode(value.get(name, default), out)


def _encode_tagged(value: Mapping[str, Any], tagged: list[tuple[int, str, Encode, Any]], out: Parts) -> None:
    present = [(tag, encode, value[name]) for tag, name, encode, _ in tagged if name in value]
    out.append(unsigned_varint(len(present)))
    for tag, encode, field_value in present:
        parts: Parts = []
        encode(field_value, parts)
        content = b"".join(parts)
        out += (unsigned_varint(tag), unsigned_varint(len(content)), content)


def _named(field: Field[Any], flexible: bool) -> tuple[str, Encode, Any]:
    kind, item = classify(field.type)
    nullable = kind.endswith("?") and "tag" not in field.metadata
    encode: Encode
    if is_dataclass(item):
        encode = struct_encoder(item)
        default: Any = {}
    else:
        encode = _primitive_encoder(field.metadata["kafka_type"], flexible, nullable and "[]" not in kind)
        default = _default(field)
    if "[]" in kind:
        return field.name, _array_encoder(encode, flexible), () if not nullable else None
    if is_dataclass(item) and nullable:
        return field.name, _nullable_struct_encoder(encode), None
    return field.name, encode, default


def classify(annotation: Any) -> tuple[str, type[Any]]:
    """Shape and item type of a field: ("[]?", Topic) for `tuple[Topic, ...] | None`."""
    members = get_args(annotation) if get_origin(annotation) is not tuple else ()
    optional = "?" if NoneType in members else ""
    inner = next(member for member in members if member is not NoneType) if members else annotation
    if get_origin(inner) is not tuple:
        return optional, inner
    item = get_args(inner)[0]
    return "[]" + optional, classify(item)[1]


def _default(field: Field[Any]) -> Any:
    """The default of a primitive field in the form that its encoder takes."""
    default = field.default
    if isinstance(default, datetime.timedelta):
        return default // datetime.timedelta(milliseconds=1)
    if isinstance(default, datetime.datetime):
        return (default - EPOCH) // datetime.timedelta(milliseconds=1)
    if default is not MISSING:
        return default
    kafka_type = field.metadata["kafka_type"]
    if kafka_type in NUMBERS:
        return 0
    if kafka_type == "uuid" or classify(field.type)[0]:
        return None
    return "" if kafka_type == "string" else b""


def _primitive_encoder(kafka_type: str, flexible: bool, nullable: bool) -> Encode:
    if kafka_type == "uuid":
        return _encode_uuid
    if kafka_type == "string":
        return _encode_compact_string if flexible else _encode_string
    if kafka_type in ("bytes", "records"):
        return _encode_compact_bytes if flexible else _encode_bytes
    pack = struct.Struct(NUMBERS[kafka_type]).pack
    if kafka_type == "datetime_i64" and nullable:
        return lambda value, out: out.append(pack(-1 if value is None else value))
    return lambda value, out: out.append(pack(value))


def _array_encoder(encode_item: Encode, flexible: bool) -> Encode:
    def encode_compact(values: Iterable[Any] | None, out: Parts) -> None:
        if values is None:
            out.append(b"\0")
            return
        items = values if isinstance(values, list | tuple) else list(values)
        out.append(unsigned_varint(len(items) + 1))
        for item in items:
            encode_item(item, out)

    def encode_legacy(values: Iterable[Any] | None, out: Parts) -> None:
        if values is None:
            out.append(b"\xff\xff\xff\xff")
            return
        items = values if isinstance(values, list | tuple) else list(values)
        out.append(struct.pack(">i", len(items)))
        for item in items:
            encode_item(item, out)

    return encode_compact if flexible else encode_legacy


def _nullable_struct_encoder(encode_struct: Encode) -> Encode:
    """Nullable structs are preceded by -1 for null, 1 otherwise (KIP-893)."""

    def encode(value: Mapping[str, Any] | None, out: Parts) -> None:
        out.append(b"\xff" if value is None else b"\x01")
        if value is not None:
            encode_struct(value, out)

    return encode


def _encode_uuid(value: UUID | None, out: Parts) -> None:
    out.append(NULL_UUID if value is None else value.bytes)


def _encode_string(value: str | None, out: Parts) -> None:
    if value is None:
        out.append(b"\xff\xff")
    else:
        data = value.encode()
        out += (struct.pack(">h", len(data)), data)


def _encode_compact_string(value: str | None, out: Parts) -> None:
    if value is None:
        out.append(b"\0")
    else:
        data = value.encode()
        out += (unsigned_varint(len(data) + 1), data)


def _encode_bytes(value: bytes | None, out: Parts) -> None:
    if value is None:
        out.append(b"\xff\xff\xff\xff")
    else:
        out += (struct.pack(">i", len(value)), value)


def _encode_compact_bytes(value: bytes | None, out: Parts) -> None:
    if value is None:
        out.append(b"\0")
    else:
        out += (unsigned_varint(len(value) + 1), value)
