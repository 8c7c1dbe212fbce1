"""Schemas: what is refused, and that spelling does not matter."""

import json
from typing import Any

import avro.schema
import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.registry.schema import InvalidSchema, normal, parse


def record(*fields: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "record", "name": "R", "namespace": "ex", "fields": list(fields)} | more)


def field(type: Any, **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"name": "f", "type": type} | more


ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "F", "size": 2}
INNER = {"type": "record", "name": "Q", "fields": [{"name": "z", "type": "int"}]}

REFUSED = {
    "no JSON": ("{", "not JSON"),
    "no schema": ("5", "is no schema"),
    "no type": ("{}", "is no schema"),
    "unknown type": (record(field("Foo")), "/fields/0/type: unknown type 'Foo'"),
    "type used before it is defined": (record(field("E"), {"name": "g", "type": ENUM}), "unknown type 'E'"),
    "record without fields": ('{"type": "record", "name": "R"}', "'fields' is missing"),
    "record without a name": ('{"type": "record", "fields": []}', "'name' is missing"),
    "field twice": (record(field("int"), field("int")), "field 'f' twice"),
    "name with a dash": (record({"name": "a-b", "type": "int"}), "'a-b' is no name"),
    "name defined twice": (record(field(ENUM), {"name": "g", "type": ENUM}), "'ex.E' is already defined"),
    "symbol twice": ('{"type": "enum", "name": "E", "symbols": ["A", "A"]}', "symbol 'A' twice"),
    "enum default that is no symbol": (json.dumps(ENUM | {"default": "C"}), "is not one of its symbols"),
    "negative size": ('{"type": "fixed", "name": "F", "size": -1}', "is negative"),
    "type twice in a union": ('["int", "int"]', "'int' twice in one union"),
    "two arrays in a union": (json.dumps([{"type": "array", "items": t} for t in ("int", "long")]), "'array' twice"),
    "union in a union": ('["null", ["int"]]', "a union directly inside a union"),
    "text as int": (record(field("int", default="x")), "default 'x' of field 'f' is no int"),
    "fraction as long": (record(field("long", default=1.5)), "is no long"),
    "too large an int": (record(field("int", default=2**31)), "is no int"),
    "true as int": (record(field("int", default=True)), "is no int"),
    "null as string": (record(field("string", default=None)), "is no string"),
    "wide character as bytes": (record(field("bytes", default="Ā")), "is no bytes"),
    "fixed of the wrong size": (record(field(FIXED, default="a")), "is no ex.F"),
    "unknown symbol": (record(field(ENUM, default="C")), "is no ex.E"),
    "wrong item": (record(field({"type": "array", "items": "int"}, default=["x"])), "is no array"),
    "record that lacks a field": (record(field(INNER, default={})), "is no ex.Q"),
    "no branch fits": (record(field(["null", "int"], default="x")), "is no union"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_schema_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message.replace("/", "\\/")):
        parse(text)


def test_deep_nesting_is_refused() -> None:
    """A schema nested more deeply than Python's stack must not break the server."""
    with pytest.raises(InvalidSchema):
        parse('{"type": "array", "items": ' * 5000 + '"int"' + "}" * 5000)


ACCEPTED = {
    "primitive": '"string"',
    "primitive as object": '{"type": "long", "logicalType": "timestamp-millis"}',
    "recursive": record(field(["null", "R"], default=None)),
    "default of the second branch": record(field(["null", "int"], default=1)),
    "default of every kind": record(
        {"name": "a", "type": "bytes", "default": "ÿ"},
        {"name": "b", "type": FIXED, "default": "ab"},
        {"name": "c", "type": ENUM, "default": "B"},
        {"name": "d", "type": {"type": "map", "values": "double"}, "default": {"x": 1}},
        {"name": "e", "type": INNER, "default": {"z": 1}},
        {"name": "g", "type": "boolean", "default": False},
    ),
    "names across namespaces": record(
        {"name": "a", "type": {"type": "enum", "name": "other.E", "symbols": ["A"]}},
        {"name": "b", "type": "other.E"},
        {"name": "c", "type": {"type": "fixed", "name": "F", "namespace": "", "size": 1}},
        {"name": "d", "type": INNER},
        {"name": "e", "type": "Q"},
    ),
    "docs, aliases and attributes": record(field("int", doc="d", aliases=["g"], owner="me"), doc="r", aliases=["S"]),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_normal_form_is_stable_and_others_read_it(text: str) -> None:
    """Printing what was printed changes nothing, and both Avro libraries accept it."""
    printed = normal(parse(text))
    assert normal(parse(printed)) == printed
    avro.schema.parse(printed)
    fastavro.parse_schema(json.loads(printed))


SAME = {
    "whitespace": ('{ "type" : "array", "items" : "int" }', '{"type":"array","items":"int"}'),
    "order of keys": ('{"items":"int","type":"array"}', '{"type":"array","items":"int"}'),
    "primitive as object": ('{"type":"int"}', '"int"'),
    "type in a type": ('{"type":{"type":"array","items":"int"}}', '{"type":"array","items":"int"}'),
    "full name": (
        '{"type":"enum","name":"ex.E","symbols":["A"]}',
        '{"type":"enum","name":"E","namespace":"ex","symbols":["A"]}',
    ),
    "namespace of the enclosing record": (
        record(field({"type": "enum", "name": "ex.E", "symbols": ["A"]}), {"name": "g", "type": "ex.E"}),
        record(field({"type": "enum", "name": "E", "symbols": ["A"]}), {"name": "g", "type": "E"}),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_spelling_does_not_matter(one: str, other: str) -> None:
    assert normal(parse(one)) == normal(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record(field("int", doc="a")), record(field("int", doc="b"))),
        (record(field("int", default=1)), record(field("int"))),
        (record(field(["null", "int"])), record(field(["int", "null"]))),
        ('{"type":"long","logicalType":"timestamp-millis"}', '"long"'),
    ],
    ids=["doc", "default", "order of a union", "logical type"],
)
def test_content_matters(one: str, other: str) -> None:
    assert normal(parse(one)) != normal(parse(other))


KEYS = [
    "type",
    "name",
    "namespace",
    "fields",
    "symbols",
    "items",
    "values",
    "size",
    "default",
    "aliases",
    "logicalType",
]
WORDS = ["record", "enum", "fixed", "array", "map", "int", "string", "null", "bytes", "", "a.b", "A", "decimal"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_a_schema_or_refused(node: Any) -> None:
    """Whatever people send, and whatever a topic holds, leads to no other exception."""
    try:
        printed = normal(parse(json.dumps(node)))
    except InvalidSchema:
        return
    assert normal(parse(printed)) == printed
