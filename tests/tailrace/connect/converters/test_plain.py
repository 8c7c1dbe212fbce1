"""Text, bytes and JSON."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tailrace.connect.converters import make_converter
from tailrace.connect.errors import DataError


def converter(name: str) -> Any:
    return make_converter("value", {"value.converter": name}, None)


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("StringConverter", "ä", "ä".encode()),
        ("StringConverter", None, None),
        ("ByteArrayConverter", b"\xff", b"\xff"),
        ("ByteArrayConverter", None, None),
        ("org.apache.kafka.connect.json.JsonConverter", {"a": [1, None]}, b'{"a":[1,null]}'),
        ("JsonConverter", None, None),
    ],
)
def test_a_value_is_written_and_read(name: str, value: Any, data: bytes | None) -> None:
    assert converter(name).encode("t", value, None) == data
    assert converter(name).decode("t", data) == (value, None)


def test_text_of_another_value() -> None:
    assert converter("StringConverter").encode("t", 5, None) == b"5"


def test_json_has_moments_as_milliseconds_and_dates_as_days() -> None:
    value = {"at": datetime(2026, 11, 23, 10, 20, 30, 123000, tzinfo=UTC), "on": date(1970, 1, 3), "n": Decimal("1.50")}
    assert converter("JsonConverter").encode("t", value, None) == b'{"at":1795429230123,"on":2,"n":1.50}'


@pytest.mark.parametrize(("name", "data"), [("StringConverter", b"\xff"), ("JsonConverter", b"{")])
def test_damaged_bytes_are_the_records_fault(name: str, data: bytes) -> None:
    with pytest.raises(DataError):
        converter(name).decode("t", data)


@pytest.mark.parametrize(("name", "value"), [("ByteArrayConverter", "x"), ("JsonConverter", {"a": object()})])
def test_a_value_the_format_cannot_hold_is_the_records_fault(name: str, value: Any) -> None:
    with pytest.raises(DataError):
        converter(name).encode("t", value, None)
