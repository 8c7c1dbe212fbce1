"""Each transform alone, and chains of them."""

from typing import Any

import pytest

from tailrace.connect.errors import DataError
from tailrace.connect.record import Record
from tailrace.connect.transforms.chain import Chain, make_chain

SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}, {"name": "c", "type": "string"}]}


def chain(**transforms: dict[str, str]) -> Chain:
    config = {f"transforms.{step}.{key}": value for step, keys in transforms.items() for key, value in keys.items()}
    return make_chain(config | {"transforms": ",".join(transforms)})


def through(steps: Chain, key: Any, value: Any) -> tuple[Any, Any]:
    record = steps(Record("t", key, value))
    assert record is not None
    return record.key, record.value


REPLACE = "org.apache.kafka.connect.transforms.ReplaceField$Value"


@pytest.mark.parametrize(
    ("transform", "key", "value", "expected"),
    [
        ({"type": "ValueToKey", "fields": "a"}, None, {"a": 1, "b": 2}, ({"a": 1}, {"a": 1, "b": 2})),
        ({"type": "ValueToKey", "fields": "b,a"}, 9, {"a": 1, "b": 2}, ({"b": 2, "a": 1}, {"a": 1, "b": 2})),
        ({"type": "ExtractField$Key", "field": "a"}, {"a": 1}, {"x": 1}, (1, {"x": 1})),
        ({"type": "ExtractField$Value", "field": "a"}, None, {"a": 1}, (None, 1)),
        ({"type": "ExtractField$Value", "field": "a"}, 5, None, (5, None)),
        ({"type": REPLACE, "exclude": "a"}, None, {"a": 1, "b": 2}, (None, {"b": 2})),
        ({"type": REPLACE, "blacklist": "a"}, None, {"a": 1, "b": 2}, (None, {"b": 2})),
        ({"type": REPLACE, "include": "a"}, None, {"a": 1, "b": 2}, (None, {"a": 1})),
        ({"type": REPLACE, "include": "a,b", "exclude": "b"}, None, {"a": 1, "b": 2, "c": 3}, (None, {"a": 1})),
        ({"type": REPLACE, "renames": "a:x"}, None, {"a": 1, "b": 2}, (None, {"x": 1, "b": 2})),
        ({"type": REPLACE, "renames": "a:b,b:a"}, None, {"a": 1, "b": 2}, (None, {"b": 1, "a": 2})),
        ({"type": REPLACE, "exclude": "a"}, None, None, (None, None)),
        ({"type": "ReplaceField$Key", "exclude": "a"}, {"a": 1, "b": 2}, {"a": 1}, ({"b": 2}, {"a": 1})),
    ],
)
def test_a_transform(transform: dict[str, str], key: Any, value: Any, expected: tuple[Any, Any]) -> None:
    assert through(chain(step=transform), key, value) == expected


def test_transforms_follow_each_other() -> None:
    steps = chain(
        key={"type": "ValueToKey", "fields": "id"},
        extract={"type": "ExtractField$Key", "field": "id"},
        drop={"type": "ReplaceField$Value", "exclude": "id"},
    )
    assert through(steps, None, {"id": 5, "c": "EUR"}) == (5, {"c": "EUR"})


def test_no_transform_leaves_the_record_as_it_is() -> None:
    record = Record("t", 1, {"a": 1}, SCHEMA)
    assert make_chain({})(record) is record
    assert record == Record("t", 1, {"a": 1}, SCHEMA)


def test_the_schema_follows_the_value() -> None:
    steps = chain(
        key={"type": "ValueToKey", "fields": "id"},
        drop={"type": "ReplaceField$Value", "exclude": "id", "renames": "c:currency"},
    )
    for _ in range(2):
        record = steps(Record("t", None, {"id": 5, "c": "EUR"}, SCHEMA))
        assert record is not None
        assert record.schema == SCHEMA | {"fields": [{"name": "currency", "type": "string"}]}
    assert len(SCHEMA["fields"]) == 2


def test_the_schema_of_an_extracted_field_is_the_fields() -> None:
    record = chain(value={"type": "ExtractField$Value", "field": "c"})(Record("t", None, {"id": 5, "c": "x"}, SCHEMA))
    assert record is not None
    assert (record.value, record.schema) == ("x", {"type": "string"})


@pytest.mark.parametrize(
    ("transform", "value", "message"),
    [
        ({"type": "ValueToKey", "fields": "x"}, {"a": 1}, "ValueToKey: the value has no field 'x', it has a"),
        ({"type": "ValueToKey", "fields": "x"}, None, "the value is NoneType, expected fields by name"),
        ({"type": "ExtractField$Value", "field": "x"}, {"a": 1}, "ExtractField: the value has no field 'x', it has a"),
        ({"type": REPLACE, "exclude": "x"}, "text", "the value is str, expected fields by name"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(transform: dict[str, str], value: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        chain(step=transform)(Record("t", None, value))
    assert str(error.value) == message
