"""Compatibility: the rules one by one, against Avro's own checker, and against real data."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import avro.compatibility
import avro.schema
import fastavro
import pytest
from fastavro.utils import generate_one
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tailrace.registry.compatibility import Level, explain, incompatibilities
from tailrace.registry.schema import parse


def record(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "User", "namespace": "ex", "fields": list(fields)} | more


def field(name: str, type: Any, **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"name": name, "type": type} | more


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols)} | more


def fixed(size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size}


V1 = record(field("name", "string"), field("favorite_number", "int"))
V2 = record(*V1["fields"], field("favorite_color", "string", default="green"))
V2_WITHOUT_DEFAULT = record(*V1["fields"], field("favorite_color", "string"))
TREE = record(field("next", ["null", "ex.User"]))

MISSING_DEFAULT = ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/2")

# reader, writer, the reasons why one cannot read the other as (type, path)
CASES: dict[str, tuple[Any, Any, list[tuple[str, str]]]] = {
    "added field with a default": (V2, V1, []),
    "removed field": (V1, V2, []),
    "added field without a default": (V2_WITHOUT_DEFAULT, V1, [MISSING_DEFAULT]),
    "int to long": ("long", "int", []),
    "long to int": ("int", "long", [("TYPE_MISMATCH", "/")]),
    "long to float": ("float", "long", []),
    "double to float": ("float", "double", [("TYPE_MISMATCH", "/")]),
    "string to bytes": ("bytes", "string", []),
    "bytes to string": ("string", "bytes", []),
    "int to string": ("string", "int", [("TYPE_MISMATCH", "/")]),
    "into a union": (["null", "int"], "int", []),
    "into a union with a promotion": (["null", "long"], "int", []),
    "into a union without the type": (["null", "string"], "int", [("MISSING_UNION_BRANCH", "/")]),
    "out of a union": ("int", ["int"], []),
    "out of a wider union": ("int", ["null", "int"], [("TYPE_MISMATCH", "/")]),
    "wider union": (["null", "int", "string"], ["int", "null"], []),
    "narrower union": (["null", "int"], ["null", "int", "string"], [("MISSING_UNION_BRANCH", "/2")]),
    "new symbol": (enum("A", "B"), enum("A"), []),
    "symbol gone": (enum("A"), enum("A", "B"), [("MISSING_ENUM_SYMBOLS", "/symbols")]),
    "symbol gone with a default": (enum("A", default="A"), enum("A", "B"), []),
    "default of the field does not help an enum": (
        record(field("e", enum("A"), default="A")),
        record(field("e", enum("A", "B"))),
        [("MISSING_ENUM_SYMBOLS", "/fields/0/type/symbols")],
    ),
    "same size": (fixed(2), fixed(2), []),
    "other size": (fixed(2), fixed(3), [("FIXED_SIZE_MISMATCH", "/size")]),
    "items": ({"type": "array", "items": "int"}, {"type": "array", "items": "string"}, [("TYPE_MISMATCH", "/items")]),
    "values": ({"type": "map", "values": "int"}, {"type": "map", "values": "null"}, [("TYPE_MISMATCH", "/values")]),
    "array and map": ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}, [("TYPE_MISMATCH", "/")]),
    "renamed": (record(name="Person"), record(), [("NAME_MISMATCH", "/name")]),
    "other namespace": (record(namespace="other"), record(), []),
    "renamed with the full alias": (record(name="Person", aliases=["ex.User"]), record(), []),
    "renamed with the short alias": (record(name="Person", aliases=["User"]), record(), []),
    "renamed with an alias elsewhere": (
        record(name="Person", aliases=["other.User"]),
        record(),
        [("NAME_MISMATCH", "/name")],
    ),
    "renamed field": (
        record(field("handle", "string")),
        record(field("name", "string")),
        [("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0")],
    ),
    "renamed field with an alias": (
        record(field("handle", "string", aliases=["name"])),
        record(field("name", "string")),
        [],
    ),
    "recursive": (TREE, TREE, []),
    "recursive with a new field": (
        record(*TREE["fields"], field("age", "int")),
        TREE,
        [("MISSING_UNION_BRANCH", "/fields/0/type/1"), ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/1")],
    ),
    "two reasons": (
        record(field("a", "int"), field("b", "int")),
        record(field("a", "string")),
        [("TYPE_MISMATCH", "/fields/0/type"), ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/1")],
    ),
    "logical types do not count": ("long", {"type": "long", "logicalType": "timestamp-millis"}, []),
}


@pytest.mark.parametrize(("reader", "writer", "expected"), CASES.values(), ids=CASES.keys())
def test_reader_reads_writer(reader: Any, writer: Any, expected: list[tuple[str, str]]) -> None:
    found = incompatibilities(parse(json.dumps(reader)), parse(json.dumps(writer)))
    assert [(reason.type, reason.path) for reason in found] == expected


@pytest.mark.parametrize(
    ("level", "new", "old", "is_allowed"),
    [
        (Level.BACKWARD, V2, V1, True),
        (Level.FORWARD, V2, V1, True),
        (Level.FULL, V2, V1, True),
        (Level.BACKWARD, V2_WITHOUT_DEFAULT, V1, False),
        (Level.FORWARD, V2_WITHOUT_DEFAULT, V1, True),
        (Level.FULL, V2_WITHOUT_DEFAULT, V1, False),
        (Level.BACKWARD, V1, V2_WITHOUT_DEFAULT, True),
        (Level.FORWARD, V1, V2_WITHOUT_DEFAULT, False),
        (Level.FULL_TRANSITIVE, V1, V2_WITHOUT_DEFAULT, False),
        (Level.NONE, "string", V1, True),
    ],
)
def test_level_asks_for_directions(level: Level, new: Any, old: Any, is_allowed: bool) -> None:
    assert (explain(parse(json.dumps(new)), parse(json.dumps(old)), level) == []) is is_allowed


def test_sentence_names_reason_path_and_detail() -> None:
    (message,) = explain(parse(json.dumps(V2_WITHOUT_DEFAULT)), parse(json.dumps(V1)), Level.BACKWARD)
    assert "errorType:'READER_FIELD_MISSING_DEFAULT_VALUE'" in message
    assert "/fields/2" in message
    assert "additionalInfo:'favorite_color'" in message


def test_shared_types_take_no_exponential_time() -> None:
    """Twenty-five levels of records, each used twice by the one before, are 2**25 paths."""
    schema: Any = "int"
    for i in range(25):
        schema = record(field("a", schema), field("b", f"ex.R{i - 1}" if i else "int"), name=f"R{i}")
    assert incompatibilities(parse(json.dumps(schema)), parse(json.dumps(schema))) == []


NAMES = ["A", "B", "C"]


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Records whose fields, symbols, types and defaults vary a little, so that pairs of them often agree."""
    simple = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
    symbols = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)

    def named(path: str, depth: int) -> Any:
        kinds: list[Callable[[], Any]] = [lambda: draw(simple)] * 3
        kinds += [
            lambda: {"type": "enum", "name": f"E{path}", "symbols": draw(symbols)},
            lambda: {"type": "fixed", "name": f"F{path}", "size": draw(st.integers(1, 2))},
        ]
        if depth:
            kinds += [
                lambda: {"type": "array", "items": named(path, depth - 1)},
                lambda: {"type": "map", "values": named(path, depth - 1)},
                lambda: [draw(simple), *([other] if isinstance(other := named(path, depth - 1), dict) else [])],
                lambda: fields(path, depth - 1),
            ]
        return draw(st.sampled_from(kinds))()

    def fields(path: str, depth: int) -> Any:
        chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        made = [field(name.lower(), named(path + name, depth)) for name in chosen]
        for one in made:
            if one["type"] == "int" and draw(st.booleans()):
                one["default"] = 7
            if one["type"] in ("string", "null") and draw(st.booleans()):
                one["default"] = None if one["type"] == "null" else "x"
        return {"type": "record", "name": f"R{path}", "fields": made}

    return {**fields("", 2), "namespace": "ex"}


PROMOTED = {"int": "long", "long": "double", "float": "double", "string": "bytes"}


@st.composite
def evolved(draw: st.DrawFn, schema: Any) -> Any:
    """A schema after some of the changes that people make, allowed or not."""
    if isinstance(schema, list):
        return [*schema, "boolean"] if "boolean" not in schema and draw(st.booleans()) else schema
    if isinstance(schema, str):
        promoted = PROMOTED.get(schema, schema)
        return draw(st.sampled_from([schema, schema, promoted, [schema, "null"] if schema != "null" else schema]))
    match schema["type"]:
        case "enum":
            return schema | {"symbols": [*schema["symbols"], "D"][: draw(st.integers(1, 4))]}
        case "array":
            return schema | {"items": draw(evolved(schema["items"]))}
        case "map":
            return schema | {"values": draw(evolved(schema["values"]))}
        case "record":
            kept = [one for one in schema["fields"] if draw(st.integers(0, 4))]
            fields = [{"name": one["name"], "type": draw(evolved(one["type"]))} for one in kept]
            added = field("added", "long", **({"default": 1} if draw(st.integers(0, 4)) else {}))
            return schema | {"fields": [*fields, *([added] if draw(st.booleans()) else [])]}
    return schema


pairs = st.one_of(
    st.tuples(schemas(), schemas()),
    schemas().flatmap(lambda writer: st.tuples(evolved(writer), st.just(writer))),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs)
def test_agrees_with_the_checker_of_avro(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    reader, writer = map(json.dumps, pair)
    ours = incompatibilities(parse(reader), parse(writer))
    checker = avro.compatibility.ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    theirs = checker.get_compatibility(avro.schema.parse(reader), avro.schema.parse(writer))
    compatible = avro.compatibility.SchemaCompatibilityType.compatible
    assert (not ours) == (theirs.compatibility is compatible), (ours, theirs.messages)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas().flatmap(lambda writer: st.tuples(evolved(writer), st.just(writer))))
def test_what_is_compatible_reads_real_data(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    reader, writer = pair
    assume("bytes" not in json.dumps(writer))  # they may be read as a string, but need not be UTF-8
    assume(not incompatibilities(parse(json.dumps(reader)), parse(json.dumps(writer))))
    written = fastavro.parse_schema(writer)
    data = BytesIO()
    fastavro.schemaless_writer(data, written, generate_one(written))
    data.seek(0)
    fastavro.schemaless_reader(data, written, fastavro.parse_schema(reader))
