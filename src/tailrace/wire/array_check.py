"""Whether the arrays of a message can be what they claim, before `kio` reads it.

`kio` allocates as many places as an array claims to have items, so that a few bytes could end the process, and takes
null for every array. So the bytes are walked over once by the message's definition, with nothing made of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from itertools import groupby
from typing import Any

from tailrace.wire.encoding import NUMBERS, classify
from tailrace.wire.header import skip_tagged_fields
from tailrace.wire.varint import read_unsigned_varint

ITEMS_MAX = 1_000_000
"""Items of all arrays of a message; more could take far more memory than the message does."""

Items = list[int]
"""How many items a message may still have, as the only element."""
Skip = Callable[[memoryview, int, Items], int]
"""Gives the position behind what begins at a position, or raises what shows that there is no such thing."""

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_UUID_BYTES = 16


class MalformedArray(Exception):
    """An array is null or longer than it can be."""


def check_arrays(schema: type[Any]) -> Callable[[memoryview, int], None]:
    """Compile what looks at the message of a class that begins at a position.

    It raises MalformedArray, or IndexError, ValueError or struct.error for a message that ends too early.
    """
    skip = _skip_struct(schema)

    def check(data: memoryview, position: int) -> None:
        skip(data, position, [ITEMS_MAX])

    return check


def _fixed_bytes(field: Field[Any]) -> int | None:
    """Bytes of a field that takes the same in every message."""
    shape, item = classify(field.type)
    kafka_type = field.metadata.get("kafka_type")
    if "[]" in shape or is_dataclass(item):
        return None
    if kafka_type == "uuid":
        return _UUID_BYTES
    return struct.calcsize(NUMBERS[kafka_type]) if kafka_type in NUMBERS else None


def _plain_fields(schema: type[Any]) -> list[Field[Any]]:
    return [field for field in fields(schema) if "tag" not in field.metadata]


def _fixed_struct_bytes(schema: type[Any]) -> int | None:
    """Bytes of a struct without its tagged fields, if they are the same in every message."""
    sizes = [_fixed_bytes(field) for field in _plain_fields(schema)]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _skip_struct(schema: type[Any]) -> Skip:
    flexible: bool = schema.__flexible__
    steps: list[Skip] = []
    for is_fixed, run in groupby(_plain_fields(schema), lambda field: _fixed_bytes(field) is not None):
        if is_fixed:
            steps.append(_skip_bytes(sum(_fixed_bytes(field) or 0 for field in run)))
        else:
            steps += [_skip_field(field, flexible) for field in run]

    def skip(data: memoryview, position: int, items: Items) -> int:
        for step in steps:
            position = step(data, position, items)
        if not flexible:
            return position
        return position + 1 if data[position] == 0 else skip_tagged_fields(data, position)

    return skip


def _skip_bytes(size: int) -> Skip:
    return lambda data, position, items: position + size


def _skip_field(field: Field[Any], flexible: bool) -> Skip:
    shape, item = classify(field.type)
    if "[]" in shape:
        return _skip_array(field, flexible)
    if is_dataclass(item):
        return _skip_nullable(_skip_struct(item)) if shape else _skip_struct(item)
    if flexible:
        return _skip_compact
    return _skip_string if field.metadata["kafka_type"] == "string" else _skip_content


def _skip_compact(data: memoryview, position: int, items: Items) -> int:
    length, position = read_unsigned_varint(data, position)
    return position + length - 1 if length else position


def _skip_string(data: memoryview, position: int, items: Items) -> int:
    size: int = _INT16.unpack_from(data, position)[0]
    return position + _INT16.size + max(size, 0)


def _skip_content(data: memoryview, position: int, items: Items) -> int:
    size: int = _INT32.unpack_from(data, position)[0]
    return position + _INT32.size + max(size, 0)


def _skip_nullable(skip: Skip) -> Skip:
    """A struct behind a byte that is negative for null (KIP-893)."""
    return lambda data, position, items: position + 1 if data[position] > 127 else skip(data, position + 1, items)


def _skip_array(field: Field[Any], flexible: bool) -> Skip:
    shape, item = classify(field.type)
    is_nullable = shape.endswith("?")
    skip_items = _skip_structs(item) if is_dataclass(item) else _skip_primitives(field, flexible)

    def skip(data: memoryview, position: int, items: Items) -> int:
        if flexible:
            count, position = read_unsigned_varint(data, position)
            count -= 1
        else:
            count = _INT32.unpack_from(data, position)[0]
            position += _INT32.size
        if count < 0:
            if not is_nullable:
                raise MalformedArray(f"{field.name} is null, expected an array")
            return position
        items[0] -= count
        if count > len(data) - position or items[0] < 0:
            raise MalformedArray(f"{field.name} claims {count:,} items in {len(data) - position:,} bytes")
        return skip_items(data, position, items, count)

    return skip


SkipItems = Callable[[memoryview, int, Items, int], int]


def _skip_primitives(field: Field[Any], flexible: bool) -> SkipItems:
    kafka_type = field.metadata["kafka_type"]
    if kafka_type in NUMBERS or kafka_type == "uuid":
        size = _UUID_BYTES if kafka_type == "uuid" else struct.calcsize(NUMBERS[kafka_type])
        return lambda data, position, items, count: position + size * count
    skip = _skip_compact if flexible else _skip_string if kafka_type == "string" else _skip_content
    return _repeat(skip)


def _skip_structs(schema: type[Any]) -> SkipItems:
    repeat = _repeat(_skip_struct(schema))
    size = _fixed_struct_bytes(schema)
    if size is None:
        return repeat
    if not schema.__flexible__:
        return lambda data, position, items, count: position + size * count
    stride = size + 1

    def skip(data: memoryview, position: int, items: Items, count: int) -> int:
        """Most of the time nothing is tagged, and all items are equally long."""
        end = position + stride * count
        if end <= len(data) and not any(data[position + size : end : stride]):
            return end
        return repeat(data, position, items, count)

    return skip


def _repeat(skip: Skip) -> SkipItems:
    def skip_all(data: memoryview, position: int, items: Items, count: int) -> int:
        for _ in range(count):
            position = skip(data, position, items)
        return position

    return skip_all
