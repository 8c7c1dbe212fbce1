"""Serdes: what goes in comes out, and what cannot is one kind of error."""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from tailrace.registry.client import Registered
from tailrace.registry.errors import IncompatibleSchema, RegistryUnreachable, SchemaNotFound, SerdeError
from tailrace.registry.serde import AvroSerde, BytesSerde, JsonSerde, MsgpackSerde, NumberSerde, Serde, StringSerde
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


class UserV1(Struct):
    name: str
    number: int


class UserV2(Struct):
    name: str
    number: int
    color: str = "none"


V1 = {
    "type": "record",
    "name": "User",
    "fields": [{"name": "name", "type": "string"}, {"name": "number", "type": "int"}],
}
V2 = V1 | {"fields": [*V1["fields"], {"name": "color", "type": "string", "default": "green"}]}


class Away(LocalRegistry):
    """A registry that nobody reaches."""

    def register(self, subject: str, schema: str) -> int:
        raise RegistryUnreachable("away")

    def schema(self, schema_id: int) -> str:
        raise RegistryUnreachable("away")


@pytest.fixture
def registry() -> LocalRegistry:
    return LocalRegistry()


@pytest.fixture
def serde(registry: LocalRegistry) -> AvroSerde[Order]:
    return AvroSerde(registry, "orders-value", SCHEMA, Order)


def test_struct_survives(serde: AvroSerde[Order]) -> None:
    assert serde.decode(serde.encode(ORDER)) == ORDER


def test_plain_dict_survives(registry: LocalRegistry) -> None:
    serde: AvroSerde[Any] = AvroSerde(registry, "orders-value", SCHEMA)
    value = msgspec.to_builtins(ORDER, builtin_types=(bytes,))
    assert serde.decode(serde.encode(value)) == value


def test_struct_and_dict_have_the_same_bytes(registry: LocalRegistry, serde: AvroSerde[Order]) -> None:
    plain: AvroSerde[Any] = AvroSerde(registry, "orders-value", SCHEMA)
    assert plain.encode(msgspec.to_builtins(ORDER, builtin_types=(bytes,))) == serde.encode(ORDER)


def test_what_is_not_compiled_survives_too(registry: LocalRegistry) -> None:
    """Decimals and unions of several types go by way of fastavro."""

    class Price(Struct):
        amount: Decimal
        note: int | str | None

    schema = {
        "type": "record",
        "name": "Price",
        "fields": [
            {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "note", "type": ["null", "long", "string"]},
        ],
    }
    serde = AvroSerde(registry, "prices-value", json.dumps(schema), Price)
    for price in Price(Decimal("12.50"), 7), Price(Decimal("-0.01"), "x"), Price(Decimal("0.00"), None):
        assert serde.decode(serde.encode(price)) == price


def test_bytes_begin_with_the_schema_id(registry: LocalRegistry, serde: AvroSerde[Order]) -> None:
    registry.register("other-value", '"string"')
    assert serde.encode(ORDER)[:5] == b"\x00\x00\x00\x00\x02"
    assert serde.schema_id == 2


def test_schema_is_registered_at_the_first_encode(registry: LocalRegistry, serde: AvroSerde[Order]) -> None:
    with pytest.raises(SchemaNotFound):
        registry.latest("orders-value")
    serde.encode(ORDER)
    assert registry.latest("orders-value") == Registered(1, 1, registry.schema(1))


def test_without_register_the_schema_must_be_known(registry: LocalRegistry) -> None:
    serde = AvroSerde(registry, "orders-value", SCHEMA, Order, register=False)
    with pytest.raises(SchemaNotFound):
        serde.encode(ORDER)
    registry.register("orders-value", SCHEMA)
    assert serde.decode(serde.encode(ORDER)) == ORDER


def test_incompatible_schema_stops_the_writer(registry: LocalRegistry) -> None:
    registry.register("orders-value", '"string"')
    with pytest.raises(IncompatibleSchema):
        AvroSerde(registry, "orders-value", SCHEMA, Order).encode(ORDER)


def test_new_reader_fills_in_what_old_writers_left_out(registry: LocalRegistry) -> None:
    """The default of the schema counts, not that of the class."""
    old = AvroSerde(registry, "users-value", json.dumps(V1), UserV1)
    new = AvroSerde(registry, "users-value", json.dumps(V2), UserV2)
    assert new.decode(old.encode(UserV1("Ada", 7))) == UserV2("Ada", 7, "green")


def test_old_reader_passes_over_what_new_writers_added(registry: LocalRegistry) -> None:
    old = AvroSerde(registry, "users-value", json.dumps(V1), UserV1)
    new = AvroSerde(registry, "users-value", json.dumps(V2), UserV2)
    assert old.decode(new.encode(UserV2("Ada", 7, "red"))) == UserV1("Ada", 7)


def test_schema_is_asked_for_once(registry: LocalRegistry, serde: AvroSerde[Order]) -> None:
    data = serde.encode(ORDER)
    reader = AvroSerde(registry, "orders-value", SCHEMA, Order)
    reader.decode(data)
    reader._client = Away()
    assert reader.decode(data) == ORDER


@pytest.mark.parametrize("with_type", [True, False])
@pytest.mark.parametrize("damage", ["empty", "short", "magic", "unknown id", "cut", "trailing", "no body"])
def test_undecodable_bytes_are_serde_errors(registry: LocalRegistry, damage: str, with_type: bool) -> None:
    serde: AvroSerde[Any] = AvroSerde(registry, "orders-value", SCHEMA, Order if with_type else None)
    data = AvroSerde(registry, "orders-value", SCHEMA, Order).encode(ORDER)
    damaged = {
        "empty": b"",
        "short": data[:3],
        "magic": b"\x01" + data[1:],
        "unknown id": b"\x00\x00\x00\x00\x63" + data[5:],
        "cut": data[:-1],
        "trailing": data + b"\x00",
        "no body": data[:5],
    }
    with pytest.raises(SerdeError, match="orders-value"):
        serde.decode(damaged[damage])


def test_data_of_another_type_is_a_serde_error(registry: LocalRegistry, serde: AvroSerde[Order]) -> None:
    text: AvroSerde[Any] = AvroSerde(registry, "texts-value", '"string"')
    with pytest.raises(SerdeError, match="schema 1"):
        serde.decode(text.encode("hello"))


@pytest.mark.parametrize("with_type", [True, False])
def test_value_that_does_not_fit_is_a_serde_error(registry: LocalRegistry, with_type: bool) -> None:
    serde: AvroSerde[Any] = AvroSerde(registry, "orders-value", SCHEMA, Order if with_type else None)
    value = msgspec.structs.replace(ORDER, totals={"EUR": "many"})
    with pytest.raises(SerdeError, match="orders-value"):
        serde.encode(value if with_type else msgspec.to_builtins(value, builtin_types=(bytes,)))


def test_unknown_field_of_a_dict_is_a_serde_error(registry: LocalRegistry) -> None:
    """A misspelt field with a default would otherwise be lost silently."""
    serde: AvroSerde[Any] = AvroSerde(registry, "users-value", json.dumps(V2))
    with pytest.raises(SerdeError, match="colour"):
        serde.encode({"name": "Ada", "number": 7, "colour": "red"})


def test_unreachable_registry_is_no_serde_error() -> None:
    """Trying again can help, so that the record must not become a dead letter."""
    serde = AvroSerde(Away(), "orders-value", SCHEMA, Order)
    with pytest.raises(RegistryUnreachable):
        serde.encode(ORDER)
    with pytest.raises(RegistryUnreachable):
        serde.decode(b"\x00\x00\x00\x00\x01body")


def test_class_must_have_the_fields_of_the_schema(registry: LocalRegistry) -> None:
    with pytest.raises(TypeError, match=r"UserV2 does not match schema User.*'color'"):
        AvroSerde(registry, "users-value", json.dumps(V1), UserV2)
    with pytest.raises(TypeError, match=r"UserV1 does not match schema User.*'color'"):
        AvroSerde(registry, "users-value", json.dumps(V2), UserV1)


@given(st.text(), st.binary(), st.dictionaries(st.text(), st.integers(-(2**31), 2**31)))
def test_simple_serdes_are_inverse(text: str, data: bytes, value: dict[str, int]) -> None:
    string, plain, json_ = StringSerde(), BytesSerde(), JsonSerde[dict[str, int]]()
    assert string.decode(string.encode(text)) == text
    assert plain.decode(plain.encode(data)) == data
    assert json_.decode(json_.encode(value)) == value


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.lists(st.integers(-9, 9)))
def test_numbers_and_messagepack_are_inverse(number: int, fraction: float, values: list[int]) -> None:
    long, double, pack = NumberSerde[int]("q"), NumberSerde[float]("d"), MsgpackSerde(list[int])
    assert long.decode(long.encode(number)) == number
    assert double.decode(double.encode(fraction)) == fraction
    assert pack.decode(pack.encode(values)) == values


@pytest.mark.parametrize(
    ("serde", "value"), [(NumberSerde("q"), 2**63), (NumberSerde("q"), "1"), (MsgpackSerde(int), object())]
)
def test_what_does_not_fit_is_a_serde_error(serde: Serde[Any], value: object) -> None:
    with pytest.raises(SerdeError):
        serde.encode(value)


def test_json_is_read_as_a_type() -> None:
    serde = JsonSerde(UserV1)
    assert serde.decode(serde.encode(UserV1("Ada", 7))) == UserV1("Ada", 7)


@pytest.mark.parametrize(
    ("serde", "data"),
    [
        *[(StringSerde(), b"\xff"), (JsonSerde(), b"{"), (JsonSerde(UserV1), b'{"name": 5}')],
        *[(NumberSerde("q"), b"short"), (MsgpackSerde(int), b"\xa1a"), (MsgpackSerde(int), b"")],
    ],
)
def test_undecodable_text_is_a_serde_error(serde: Serde[Any], data: bytes) -> None:
    with pytest.raises(SerdeError):
        serde.decode(data)
