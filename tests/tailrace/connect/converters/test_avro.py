"""Avro under the registry's contract."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tailrace.connect.converters import make_converter
from tailrace.connect.errors import ConfigError, ConnectError, DataError, SystemUnreachable
from tailrace.registry.client import RegistryClient
from tailrace.registry.serde import AvroSerde
from tailrace.testing.port import free_port
from tailrace.testing.registry import LocalRegistry

CONTRACT = """{"type": "record", "name": "Account", "fields": [
    {"name": "id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"""
DERIVED = {"type": "record", "name": "accounts", "fields": [{"name": "n", "type": "long"}]}
MOMENT = datetime(2026, 11, 23, 10, 20, 30, 123000, tzinfo=UTC)


def converter(registry: Any, **options: str) -> Any:
    config = {f"value.converter.{name.replace('_', '.')}": value for name, value in options.items()}
    return make_converter("value", config, registry)


def test_what_is_written_others_read(registry: LocalRegistry) -> None:
    """The bytes are what the platform's own serde writes."""
    registry.register("t-value", CONTRACT)
    data = converter(registry).encode("t", {"id": "a", "at": "2026-11-23 10:20:30.123", "n": 1}, DERIVED)
    serde: AvroSerde[Any] = AvroSerde(registry, "t-value", CONTRACT, None)
    assert serde.decode(data) == {"id": "a", "at": 1795429230123}
    assert data == serde.encode({"id": "a", "at": 1795429230123})


def test_what_others_write_is_read_in_the_writers_schema(registry: LocalRegistry) -> None:
    serde: AvroSerde[Any] = AvroSerde(registry, "t-value", CONTRACT, None)
    value, schema = converter(registry).decode("t", serde.encode({"id": "a", "at": 1795429230123}))
    assert value == {"id": "a", "at": MOMENT}
    assert [field["name"] for field in schema["fields"]] == ["id", "at"]


def test_without_a_contract_the_derived_schema_becomes_it(registry: LocalRegistry) -> None:
    written = converter(registry).encode("t", {"n": 1}, DERIVED)
    assert converter(registry).decode("t", written)[0] == {"n": 1}
    assert '"accounts"' in registry.latest("t-value").schema


def test_without_a_contract_and_the_right_to_make_one_nothing_is_written(registry: LocalRegistry) -> None:
    with pytest.raises(ConnectError, match="subject t-value has no schema"):
        converter(registry, auto_register_schemas="false").encode("t", {"n": 1}, DERIVED)
    with pytest.raises(ConnectError, match="subject t-value has no schema"):
        converter(registry).encode("t", {"n": 1}, None)


def test_nothing_is_nothing(registry: LocalRegistry) -> None:
    assert converter(registry).encode("t", None, None) is None
    assert converter(registry).decode("t", None) == (None, None)


def test_a_primitive_has_a_schema_too(registry: LocalRegistry) -> None:
    registry.register("t-value", '"string"')
    made = converter(registry)
    assert made.decode("t", made.encode("t", "x", None))[0] == "x"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "not Avro of a schema registry: starts with nothing"),
        (lambda data: b"{}   ", "not Avro of a schema registry: starts with 7b7d"),
        (lambda data: data[:4], "not Avro of a schema registry: starts with 00"),
        (lambda data: b"\0\0\0\0\x63" + data[5:], "the registry does not know schema id 99"),
        (lambda data: data[:-1], "damaged Avro"),
        (lambda data: data + b"x", "1 bytes follow the Avro value"),
    ],
    ids=["empty", "json", "header", "unknown-id", "cut", "longer"],
)
def test_damaged_bytes_are_the_records_fault(registry: LocalRegistry, damage: Any, message: str) -> None:
    serde: AvroSerde[Any] = AvroSerde(registry, "t-value", CONTRACT, None)
    data = serde.encode({"id": "a", "at": 1})
    with pytest.raises(DataError, match=message):
        converter(registry).decode("t", damage(data))


def test_a_value_that_does_not_fit_the_contract_is_the_records_fault(registry: LocalRegistry) -> None:
    registry.register("t-value", CONTRACT)
    with pytest.raises(DataError, match="t: does not fit the contract Account: field id: is missing"):
        converter(registry).encode("t", {"n": 1}, DERIVED)


def test_a_registry_that_is_away_is_waited_for() -> None:
    away = RegistryClient(f"http://127.0.0.1:{free_port()}", patience_s=0)
    with pytest.raises(SystemUnreachable, match="no answer"):
        converter(away).encode("t", {"n": 1}, DERIVED)
    with pytest.raises(SystemUnreachable, match="no answer"):
        converter(away).decode("t", b"\0\0\0\0\1x")


def test_a_contract_can_only_come_first() -> None:
    with pytest.raises(ConfigError, match=r"use\.latest\.version='false' is not allowed, expected one of true"):
        converter(None, use_latest_version="false")
