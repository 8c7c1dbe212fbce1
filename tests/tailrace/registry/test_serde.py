"""Serdes: what goes in comes out, and what cannot is one kind of error."""

from enum import StrEnum

import msgspec
import pytest
from msgspec import Struct

from tailrace.registry.serde import AvroSerde
from tailrace.testing.registry import LocalRegistry

SCHEMA = """
{"type": "record", "name": "Order", "namespace": "shop", "fields": [
  {"name": "id", "type": "string"},
  {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["BUY", "SELL"]}},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "note", "type": ["null", "string"], "default": null},
  {"name": "digest", "type": "bytes"},
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
    {"name": "item", "type": "string"}, {"name": "amount", "type": "int"}]}}},
  {"name": "totals", "type": {"type": "map", "values": "long"}}]}
"""


class Kind(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Line(Struct, frozen=True):
    item: str
    amount: int


class Order(Struct, frozen=True):
    id: str
    kind: Kind
    at: int
    note: str | None
    digest: bytes
    lines: list[Line]
    totals: dict[str, int]


ORDER = Order("ü-1", Kind.SELL, 1763900000123, None, b"\x00\xff", [Line("tea", 2), Line("", -3)], {"EUR": 2**40})


@pytest.fixture
def registry() -> LocalRegistry:
    return LocalRegistry()


@pytest.fixture
def serde(registry: LocalRegistry) -> AvroSerde[Order]:
    return AvroSerde(registry, "orders-value", SCHEMA, Order)


def test_struct_survives(serde: AvroSerde[Order]) -> None:
    assert serde.decode(serde.encode(ORDER)) == ORDER


def test_plain_dict_survives(registry: LocalRegistry) -> None:
    serde: AvroSerde[object] = AvroSerde(registry, "orders-value", SCHEMA)
    value = msgspec.to_builtins(ORDER, builtin_types=(bytes,))
    assert serde.decode(serde.encode(value)) == value


def test_bytes_begin_with_the_schema_id(serde: AvroSerde[Order]) -> None:
    assert serde.encode(ORDER)[:5] == b"\x00" + serde.schema_id.to_bytes(4, "big")
