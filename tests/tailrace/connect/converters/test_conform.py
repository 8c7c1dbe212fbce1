"""Values of database rows, made to fit a contract."""

import io
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.connect.converters.conform import conformer

MOMENT = datetime(2026, 11, 23, 10, 20, 30, 123000, tzinfo=UTC)
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def conform(schema: Any, value: Any) -> Any:
    return conformer(fastavro.parse_schema(schema))(value)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("string", "x", "x"),
        ("string", ID, str(ID)),
        ("string", Decimal("1.50"), "1.50"),
        ("string", MOMENT, "2026-11-23T10:20:30.123000+00:00"),
        ("string", date(2026, 1, 2), "2026-01-02"),
        ("boolean", 1, True),
        ("boolean", False, False),
        ("int", 5, 5),
        ("int", True, 1),
        ("long", Decimal(5), 5),
        ("long", MOMENT, 1795429230123),
        ("double", 5, 5.0),
        ("double", Decimal("2.5"), 2.5),
        ("bytes", memoryview(b"x"), b"x"),
        ("null", None, None),
        (MILLIS, MOMENT, MOMENT),
        (MILLIS, MOMENT.replace(tzinfo=None), MOMENT),
        (MILLIS, "2026-11-23 10:20:30.123", MOMENT),
        (MILLIS, "2026-11-23T11:20:30.123+01:00", MOMENT),
        (MILLIS, 1795429230123, MOMENT),
        ({"type": "int", "logicalType": "date"}, "2026-01-02", date(2026, 1, 2)),
        ({"type": "int", "logicalType": "date"}, date(2026, 1, 2), date(2026, 1, 2)),
        ({"type": "string", "logicalType": "uuid"}, str(ID), ID),
        (MONEY, Decimal("1.5"), Decimal("1.50")),
        (MONEY, 3, Decimal("3.00")),
        (MONEY, "3.25", Decimal("3.25")),
        (["null", "string"], None, None),
        (["null", "long"], 5, 5),
        (["null", "long", "string"], "x", "x"),
        ({"type": "array", "items": "boolean"}, [1, 0], [True, False]),
        ({"type": "map", "values": "boolean"}, {"a": 1}, {"a": True}),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, "A", "A"),
        ({"type": "fixed", "name": "f", "size": 1}, b"x", b"x"),
    ],
)
def test_a_value_becomes_what_the_contract_wants(schema: Any, value: Any, expected: Any) -> None:
    conformed = conform(schema, value)
    assert conformed == expected
    assert type(conformed) is type(expected)
    fastavro.schemaless_writer(io.BytesIO(), fastavro.parse_schema(schema), conformed)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("string", 5),
        ("string", None),
        ("boolean", 2),
        ("boolean", "true"),
        ("int", 2**31),
        ("int", "5"),
        ("long", Decimal("5.5")),
        ("long", 2**63),
        ("double", "2"),
        ("double", True),
        ("bytes", "x"),
        ("null", 0),
        (MILLIS, "soon"),
        (MILLIS, True),
        ({"type": "int", "logicalType": "date"}, MOMENT),
        ({"type": "string", "logicalType": "uuid"}, "x"),
        (MONEY, Decimal("1.505")),
        (MONEY, "x"),
        (["null", "long"], "x"),
        ({"type": "array", "items": "boolean"}, [7]),
    ],
)
def test_what_would_lose_something_is_refused(schema: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        conform(schema, value)


RECORD = {
    "type": "record",
    "name": "Account",
    "namespace": "agio",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "state", "type": "string", "default": "active"},
        {"name": "parent", "type": ["null", "Account"], "default": None},
    ],
}


def test_a_record_has_the_fields_of_the_contract() -> None:
    """A field too many is left out, a missing one gets its default, and named types refer to themselves."""
    value = {"id": "a", "internal": 5, "parent": {"id": "b", "state": "closed"}}
    assert conform(RECORD, value) == {
        "id": "a",
        "state": "active",
        "parent": {"id": "b", "state": "closed", "parent": None},
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "field id: is missing and has no default"),
        ({"id": None}, "field id: None is not text"),
        ({"id": "a", "parent": {"id": 5}}, "field parent: field id: 5 is not text"),
        (5, "agio.Account needs fields, not int"),
    ],
)
def test_a_record_that_does_not_fit_names_the_field(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        conform(RECORD, value)
    assert str(error.value) == message


@given(
    st.fixed_dictionaries({"a": st.integers(-(2**63), 2**63 - 1), "b": st.none() | st.text(), "c": st.booleans()}),
)
def test_what_fits_already_stays_as_it_is(value: dict[str, Any]) -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "a", "type": "long"},
            {"name": "b", "type": ["null", "string"]},
            {"name": "c", "type": "boolean"},
        ],
    }
    assert conform(schema, value) == value
