"""Compiled codecs: the same bytes and values as fastavro's, and no way to be led astray by bytes."""

import enum
import json
import struct
from io import BytesIO
from types import GenericAlias
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.registry.compiled import CompiledCodec, Unsupported
from tailrace.registry.schema import parse
from tailrace.registry.varint import LONG_MAX, decode_count, decode_more, encode_int, encode_long, small

small()
LONGS = st.one_of(
    st.integers(-LONG_MAX - 1, LONG_MAX),
    st.integers(0, 63).flatmap(lambda bits: st.sampled_from([2**bits, 2**bits - 1, -(2**bits), -(2**bits) - 1])),
).filter(lambda n: -LONG_MAX - 1 <= n <= LONG_MAX)


def reference(n: int) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, "long", n)
    return out.getvalue()


@given(LONGS)
def test_long_has_the_bytes_of_fastavro(n: int) -> None:
    data = encode_long(n)
    assert data == reference(n)
    zigzag, end = decode_more(data, 1, data[0]) if len(data) > 1 else (data[0], 1)
    assert (zigzag >> 1 ^ -(zigzag & 1), end) == (n, len(data))


@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 2**200, -(2**200)])
def test_long_beyond_64_bits_is_refused(n: int) -> None:
    with pytest.raises(OverflowError):
        encode_long(n)


@pytest.mark.parametrize("n", [2**31, -(2**31) - 1])
def test_int_beyond_32_bits_is_refused(n: int) -> None:
    with pytest.raises(OverflowError):
        encode_int(n)


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01"])
def test_integer_longer_than_64_bits_is_refused(data: bytes) -> None:
    with pytest.raises(OverflowError):
        decode_more(data, 1, data[0])


@pytest.mark.parametrize("size", [0, 3, 200, 100_000])
def test_negative_count_is_followed_by_a_size(size: int) -> None:
    data = reference(-3) + reference(size) + b"rest"
    assert decode_count(data, 1, data[0]) == (6, len(data) - 4)


class Color(enum.Enum):
    RED = "RED"
    GREEN = "GREEN"


# Schema, Python type, values.
AnyType = tuple[Any, Any, st.SearchStrategy[Any]]

PRIMITIVES: list[AnyType] = [
    ("string", str, st.text()),
    ("long", int, LONGS),
    ("int", int, st.integers(-(2**31), 2**31 - 1)),
    ("double", float, st.floats(allow_nan=False)),
    ("float", float, st.floats(width=32, allow_nan=False)),
    ("boolean", bool, st.booleans()),
    ("bytes", bytes, st.binary()),
    ({"type": "long", "logicalType": "timestamp-millis"}, int, LONGS),
]


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], type[msgspec.Struct], msgspec.Struct]:
    """A record schema, the class made for it, and a value."""
    names = (f"N{i}" for i in range(10_000))

    def any_type(depth: int) -> AnyType:
        kind = draw(
            st.sampled_from(["primitive"] * 5 + ["enum", "null", "array", "map", "record"][: 5 if depth else 1])
        )
        if kind == "primitive":
            primitive: AnyType = draw(st.sampled_from(PRIMITIVES))
            return primitive
        if kind == "enum":
            symbols = draw(st.permutations(["RED", "GREEN"]))
            return {"type": "enum", "name": next(names), "symbols": symbols}, Color, st.sampled_from(Color)
        if kind == "record":
            return record(depth - 1)
        schema, python, values = any_type(depth - 1)
        if kind == "array":
            return {"type": "array", "items": schema}, GenericAlias(list, (python,)), st.lists(values, max_size=4)
        if kind == "map":
            return (
                {"type": "map", "values": schema},
                GenericAlias(dict, (str, python)),
                st.dictionaries(st.text(), values, max_size=4),
            )
        if isinstance(schema, list):
            return schema, python, values
        return draw(st.sampled_from([["null", schema], [schema, "null"]])), python | None, values | st.none()

    def record(depth: int) -> tuple[Any, type[msgspec.Struct], st.SearchStrategy[msgspec.Struct]]:
        parts = [any_type(depth) for _ in range(draw(st.integers(1, 5)))]
        name = next(names)
        fields = [{"name": f"f{i}", "type": schema} for i, (schema, _, _) in enumerate(parts)]
        kind = msgspec.defstruct(
            name,
            draw(st.permutations([(f"f{i}", python) for i, (_, python, _) in enumerate(parts)])),
            kw_only=draw(st.booleans()),
        )
        values = st.fixed_dictionaries({f"f{i}": values for i, (_, _, values) in enumerate(parts)})
        return {"type": "record", "name": name, "fields": fields}, kind, values.map(lambda made: kind(**made))

    schema, kind, values = record(draw(st.integers(0, 3)))
    return schema, kind, draw(values)


def without_times(schema: dict[str, Any]) -> Any:
    return fastavro.parse_schema(json.loads(json.dumps(schema).replace('"logicalType"', '"logical"')))


def fastavro_bytes(schema: dict[str, Any], value: msgspec.Struct) -> bytes:
    out = BytesIO()
    builtins = msgspec.to_builtins(value, builtin_types=(bytes,))
    fastavro.schemaless_writer(out, without_times(schema), builtins)
    return out.getvalue()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_agrees_with_fastavro(case: tuple[dict[str, Any], type[msgspec.Struct], msgspec.Struct]) -> None:
    schema, kind, value = case
    codec: CompiledCodec[Any] = CompiledCodec(parse(json.dumps(schema)), kind)
    data = codec.encode(value)
    assert data == fastavro_bytes(schema, value)
    assert codec.decode(b"head" + data, 4) == value
    for name in kind.__struct_fields__:
        part = codec.decoder(frozenset([name]))
        assert getattr(part(b"head" + data, 4), name) == getattr(value, name)
        with pytest.raises((IndexError, ValueError, struct.error)):
            part(data + b"\0", 0)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.data())
def test_wrong_bytes_raise_or_are_another_value(
    case: tuple[dict[str, Any], type[msgspec.Struct], msgspec.Struct], data: st.DataObject
) -> None:
    """Whatever the compiled codec takes from damaged bytes, fastavro takes as the same value, to the last byte."""
    schema, kind, value = case
    codec: CompiledCodec[Any] = CompiledCodec(parse(json.dumps(schema)), kind)
    damaged = bytearray(codec.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] + data.draw(st.binary(max_size=2))
    try:
        decoded = codec.decode(bytes(damaged), 0)
    except Exception:
        return
    stream = BytesIO(bytes(damaged))
    theirs = fastavro.schemaless_reader(stream, without_times(schema), None)
    assert stream.tell() == len(damaged)
    # As bytes, since NaN is not itself.
    assert codec.encode(msgspec.convert(theirs, kind, builtin_types=(bytes,))) == codec.encode(decoded)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**62])
def test_a_number_of_more_than_32_bits_is_no_int(number: int) -> None:
    schema = {"type": "record", "name": "N", "fields": [{"name": "n", "type": "int"}]}
    as_int: CompiledCodec[Any] = CompiledCodec(parse(json.dumps(schema)), msgspec.defstruct("N", [("n", int)]))
    stream = BytesIO()
    fastavro.schemaless_writer(stream, {**schema, "fields": [{"name": "n", "type": "long"}]}, {"n": number})
    with pytest.raises(OverflowError):
        as_int.decode(stream.getvalue(), 0)
    edge = max(min(number, 2**31 - 1), -(2**31))
    assert as_int.decode(as_int.encode(msgspec.defstruct("N", [("n", int)])(edge)), 0).n == edge


class Line(msgspec.Struct):
    item: str
    amount: int


class Order(msgspec.Struct):
    lines: list[Line]
    note: str | None


ORDER = parse("""
{"type": "record", "name": "Order", "fields": [
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
    {"name": "item", "type": "string"}, {"name": "amount", "type": "int"}]}}},
  {"name": "note", "type": ["null", "string"]}]}
""")


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 20_000])
def test_long_texts_and_arrays(size: int) -> None:
    codec = CompiledCodec(ORDER, Order)
    order = Order([Line("", i) for i in range(size)], "x" * size)
    assert codec.decode(codec.encode(order), 0) == order


def test_array_of_several_blocks_is_read() -> None:
    """Other writers may split arrays, and tell the size of each part."""
    one = b"\x02a\x02"
    data = b"\x02" + one + reference(-2) + reference(2 * len(one)) + one + one + b"\x00" + b"\x00"
    assert CompiledCodec(ORDER, Order).decode(data, 0) == Order([Line("a", 1)] * 3, None)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", IndexError),
        (b"\x00", IndexError),
        (b"\x00\x00\x00", ValueError),
        (b"\x00\x02\x08abc", ValueError),
        (b"\x00\x04", ValueError),
        (b"\x00\x02\x01", ValueError),
        (b"\x00\x02\x02\xff", UnicodeDecodeError),
        (b"\xff\xff\xff\xff\x0f\x00", IndexError),
    ],
    ids=["nothing", "cut", "trailing", "cut text", "no such branch", "negative length", "not UTF-8", "huge count"],
)
def test_undecodable_bytes_raise(data: bytes, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        CompiledCodec(ORDER, Order).decode(data, 0)


@pytest.mark.parametrize(
    "order",
    [
        Order([Line("a", 2**31)], None),
        Order([Line("a", "1")], None),  # type: ignore[arg-type]
        Order([Line("a", 1.5)], None),  # type: ignore[arg-type]
        Order([Line(None, 1)], None),  # type: ignore[arg-type]
        Order(None, None),  # type: ignore[arg-type]
        Order([], 5),  # type: ignore[arg-type]
        Order([], "\ud800"),
    ],
    ids=["too large", "text for int", "float for int", "null for text", "null for array", "int for text", "surrogate"],
)
def test_value_that_does_not_fit_raises(order: Order) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError, OverflowError)):
        CompiledCodec(ORDER, Order).encode(order)


class Node(msgspec.Struct):
    next: "Node | None"


class Money(msgspec.Struct):
    amount: float | str


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ('{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}', Node),
        ('{"type":"record","name":"M","fields":[{"name":"amount","type":["double","string"]}]}', Money),
        ('{"type":"record","name":"M","fields":[{"name":"amount","type":"bytes"}]}', Money),
        ('{"type":"record","name":"O","fields":[{"name":"note","type":["null","string"]}]}', Order),
    ],
    ids=["recursive", "union of two", "other type", "other fields"],
)
def test_what_has_no_code_says_so(schema: str, kind: type[msgspec.Struct]) -> None:
    with pytest.raises(Unsupported):
        CompiledCodec(parse(schema), kind)
