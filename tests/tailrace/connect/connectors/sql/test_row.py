"""What records mean for a table."""

from typing import Any

import pytest

from tailrace.connect.connectors.sql.row import Change, RowMaker
from tailrace.connect.errors import DataError
from tailrace.connect.record import Record


def change(key: Any, value: Any, **settings: Any) -> Change:
    defaults = {
        "table.name.format": "${topic}_rows",
        "pk.mode": "none",
        "pk.fields": None,
        "fields.whitelist": None,
        "delete.enabled": False,
    }
    return RowMaker(defaults | {name.replace("_", ".", 1): item for name, item in settings.items()})(
        Record("t", key, value, partition=2, offset=9)
    )


@pytest.mark.parametrize(
    ("settings", "row", "keys"),
    [
        ({}, {"a": 1, "b": 2}, ()),
        ({"pk_mode": "record_value", "pk_fields": ["b"]}, {"b": 2, "a": 1}, ("b",)),
        ({"pk_mode": "record_value"}, {"a": 1, "b": 2}, ("a", "b")),
        ({"pk_mode": "record_key", "pk_fields": ["id"]}, {"id": 7, "a": 1, "b": 2}, ("id",)),
        (
            {"pk_mode": "kafka"},
            {"__connect_topic": "t", "__connect_partition": 2, "__connect_offset": 9, "a": 1, "b": 2},
            ("__connect_topic", "__connect_partition", "__connect_offset"),
        ),
        (
            {"pk_mode": "kafka", "pk_fields": ["x", "y", "z"]},
            {"x": "t", "y": 2, "z": 9, "a": 1, "b": 2},
            ("x", "y", "z"),
        ),
        ({"pk_mode": "record_value", "pk_fields": ["b"], "fields_whitelist": ["a"]}, {"b": 2, "a": 1}, ("b",)),
        ({"fields_whitelist": ["b", "nowhere"]}, {"b": 2}, ()),
    ],
)
def test_row_and_keys(settings: dict[str, Any], row: dict[str, Any], keys: tuple[str, ...]) -> None:
    made = change(7, {"a": 1, "b": 2}, **settings)
    assert (dict(made.row), made.keys, made.table, made.deletes) == (row, keys, "t_rows", False)


def test_a_key_with_fields() -> None:
    made = change({"id": 7, "region": "x"}, {"a": 1}, pk_mode="record_key", pk_fields=["id"])
    assert dict(made.row) == {"id": 7, "a": 1}
    assert change({"id": 7}, {"a": 1}, pk_mode="record_key").keys == ("id",)


def test_a_record_without_value_deletes() -> None:
    made = change(7, None, pk_mode="record_key", pk_fields=["id"], delete_enabled=True)
    assert (dict(made.row), made.deletes) == ({"id": 7}, True)


@pytest.mark.parametrize(
    ("key", "value", "settings", "message"),
    [
        (None, None, {}, "the record has no value; set delete.enabled=true"),
        (
            None,
            {"a": 1},
            {"pk_mode": "record_key", "pk_fields": ["id"]},
            "the record has no key, and pk.mode=record_key",
        ),
        (7, {"a": 1}, {"pk_mode": "record_key"}, "the key is int; name its one column in pk.fields"),
        (7, {"a": 1}, {"pk_mode": "record_key", "pk_fields": ["x", "y"]}, "the key is int; name its one column"),
        (
            7,
            {"a": 1},
            {"pk_mode": "record_value", "pk_fields": ["x"]},
            "the value has no field x, which pk.fields names",
        ),
        (7, "text", {}, "the value is str, expected fields by name"),
    ],
)
def test_a_record_that_means_nothing_is_refused(key: Any, value: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        change(key, value, **settings)
    assert str(error.value).startswith(message)


def test_one_statement_writes_changes_with_the_same_columns_and_keys() -> None:
    one, other = change(1, {"a": 1}), change(2, {"a": 2})
    assert one.is_like(other)
    assert not one.is_like(change(1, {"b": 1}))
    assert not one.is_like(change(1, {"a": 1}, pk_mode="record_value"))
