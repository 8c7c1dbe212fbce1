"""Avro codecs as Python code made for one schema and one Struct class.

About twice as fast as fastavro and msgspec together, since values go from the object to bytes and back without dicts
between. Made for what contracts consist of; where a schema or class has anything else, there is no compiled
codec, and `FastavroCodec` serves.

The code of a record with a string and a nullable long:

    def encode(v):
        return b"".join((
            (SMALL[n1] if (n1 := len(b2 := v.name.encode())) < 8192 else encode_long(n1)), b2,
            (b"\\x00" if (u3 := v.offset) is None else b"\\x02" + (SMALL[n4] if 0 <= (n4 := u3) < 8192 else ...)),
        ))

    def decode(d, p):
        n = d[p]; p += 1
        if n & 129: n, p = decode_length(d, p, n)
        q = p + (n >> 1); v1 = d[p:q].decode(); p = q
        ...
        if p != len(d): raise ...
        return User(v1, v2)

A string cut short by the end of the data is not noticed where it stands, but moves `p` beyond the end: reading the
next value fails, or the last check does. Lengths are never negative, so `p` only grows.
"""

import enum
import struct
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

from msgspec import inspect

from tailrace.registry import varint
from tailrace.registry.codec import is_time
from tailrace.registry.schema import Array, Enum, Field, Map, Primitive, Record, Schema, Union

T = TypeVar("T")

NAMES_MAX = 2000
SYMBOLS_MAX = 64  # so that an index takes one byte
PLAIN: dict[str, inspect.Type] = {
    "boolean": inspect.BoolType(),
    "int": inspect.IntType(),
    "long": inspect.IntType(),
    "float": inspect.FloatType(),
    "double": inspect.FloatType(),
    "bytes": inspect.BytesType(),
    "string": inspect.StrType(),
}
"""The one Python type for each primitive one, without constraints."""
SIZES = {"boolean": 1, "float": 4, "double": 8}


class Unsupported(Exception):
    """The compiler has no code for this schema with this class."""


class CompiledCodec(Generic[T]):
    """Reads and writes one schema as one Struct class. Raises Unsupported."""

    def __init__(self, schema: Schema, type: type[T]) -> None:  # noqa: A002
        self._schema = schema
        self._type = type
        source = _Source()
        encoder, decoder = _Encoder(source), _Decoder(source)
        try:
            parts = encoder.parts(schema, inspect.type_info(type), "v")
            result = decoder.value(schema, inspect.type_info(type))
        except RecursionError:
            raise Unsupported("the schema is recursive, or nested very deeply") from None
        code = [
            *encoder.lines,
            "def encode(v):",
            f"    return {_joined(parts)}",
            *_function(decoder, result),
        ]
        exec(compile("\n".join(code), f"<Avro codec of {type.__name__}>", "exec"), source.constants)
        self.encode: Callable[[T], bytes] = source.constants["encode"]
        self.decode: Callable[[bytes, int], T] = source.constants["decode"]

    def can_decode(self, fields: frozenset[str]) -> bool:
        """Whether a value with these attributes alone is what somebody can be given who looks at them."""
        info = inspect.type_info(self._type)
        assert isinstance(info, inspect.StructType)
        return fields <= {field.name for field in info.fields} and not hasattr(self._type, "__post_init__")

    def decoder(self, fields: frozenset[str]) -> Callable[[bytes, int], T]:
        """What decodes as `decode` does, but passes over primitive fields other than these, which are None."""
        source = _Source()
        decoder = _Decoder(source, fields)
        result = decoder.value(self._schema, inspect.type_info(self._type))
        code = compile("\n".join(_function(decoder, result)), f"<Avro codec of {self._type.__name__}, in part>", "exec")
        exec(code, source.constants)
        decode: Callable[[bytes, int], T] = source.constants["decode"]
        return decode


def _function(decoder: "_Decoder", result: str) -> list[str]:
    end = "    if p != len(d): raise ValueError(f'the value ends at byte {p} of {len(d)}')"
    return ["def decode(d, p):", *decoder.lines, end, f"    return {result}"]


class _Source:
    """Unique names, and the values that the code names."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.constants: dict[str, Any] = {
            "SMALL": varint.small(),
            "BOOLEAN": {False: b"\x00", True: b"\x01"},
            "FLAG": {0: False, 1: True},
            "encode_int": varint.encode_int,
            "encode_long": varint.encode_long,
            "decode_int": varint.decode_int,
            "decode_long": varint.decode_more,
            "decode_length": varint.decode_length,
            "decode_count": varint.decode_count,
            "pack_float": struct.Struct("<f").pack,
            "pack_double": struct.Struct("<d").pack,
            "unpack_float": struct.Struct("<f").unpack_from,
            "unpack_double": struct.Struct("<d").unpack_from,
        }

    def name(self, prefix: str) -> str:
        number = next(self._numbers)
        if number > NAMES_MAX:
            raise Unsupported("the schema is too large, or recursive")
        return f"{prefix}{number}"

    def constant(self, value: object) -> str:
        name = self.name("C")
        self.constants[name] = value
        return name


class _Encoder:
    """Makes expressions that give bytes; names that one binds serve those that follow it."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self.lines: list[str] = []

    def parts(self, schema: Schema, python: inspect.Type, value: str) -> list[str]:
        """The code for the bytes of `value`, in pieces to be joined. Evaluates `value` once, first of all."""
        match schema, python:
            case Record(), inspect.StructType():
                return self.record(schema, python, value)
            case Array(), inspect.ListType():
                items, item = self._source.name("a"), self._source.name("i")
                each = self.function(item, self.parts(schema.items, python.item_type, item))
                return [_blocks(items, value, f"map({each}, {items})")]
            case Map(), inspect.DictType(key_type=inspect.StrType()):
                items, entry = self._source.name("a"), self._source.name("e")
                pair = self.text(f"{entry}[0].encode()")
                pair += self.parts(schema.values, python.value_type, f"{entry}[1]")
                return [_blocks(items, value, f"map({self.function(entry, pair)}, {items}.items())")]
            case Union(), inspect.UnionType():
                null, other, inner = _nullable(schema, python)
                name = self._source.name("u")
                some = _joined([repr(bytes((2 - 2 * null,))), *self.parts(other, inner, name)])
                return [f"({bytes((2 * null,))!r} if ({name} := {value}) is None else {some})"]
            case Enum(), inspect.EnumType():
                codes = {member.value: bytes((2 * i,)) for i, member in enumerate(_members(schema, python))}
                return [f"{self._source.constant(codes)}[{value}._value_]"]
            case Primitive(), _:
                return self.primitive(_primitive(schema, python), value)
        raise Unsupported(f"Avro {schema.kind} from {python}")

    def function(self, argument: str, parts: list[str]) -> str:
        """Write a function that gives the joined parts for an argument, and give its name."""
        name = self._source.name("f")
        self.lines += [f"def {name}({argument}):", f"    return {_joined(parts)}"]
        return name

    def record(self, schema: Record, python: inspect.StructType, value: str) -> list[str]:
        name = value if value.isidentifier() else self._source.name("r")
        parts: list[str] = []
        for avro_field, python_field in _fields(schema, python):
            owner = name if parts or name == value else f"({name} := {value})"
            parts += self.parts(avro_field.schema, python_field.type, f"{owner}.{python_field.name}")
        return parts

    def primitive(self, kind: str, value: str) -> list[str]:
        match kind:
            case "string":
                return self.text(f"{value}.encode()")
            case "bytes":
                return self.text(value)
            case "int" | "long":
                n = self._source.name("n")
                return [f"(SMALL[{n}] if 0 <= ({n} := {value}) < {varint.SMALL} else encode_{kind}({n}))"]
            case "boolean":
                return [f"BOOLEAN[{value}]"]
        return [f"pack_{kind}({value})"]

    def text(self, value: str) -> list[str]:
        n, text = self._source.name("n"), self._source.name("b")
        size = f"(SMALL[{n}] if ({n} := len({text} := {value})) < {varint.SMALL} else encode_long({n}))"
        return [size, text]


class _Decoder:
    """Makes statements that read from `d` at `p`, and move `p`.

    `fields`: those of the first record that are read; all, if None. Others are passed over if they are primitive.
    """

    def __init__(self, source: _Source, fields: frozenset[str] | None = None) -> None:
        self._source = source
        self._fields = fields
        self.lines: list[str] = []
        self._indent = "    "

    def value(self, schema: Schema, python: inspect.Type) -> str:
        """Write the statements that read a value, and give the expression that is the value."""
        match schema, python:
            case Record(), inspect.StructType():
                wanted, self._fields = self._fields, None
                values = {
                    f.name: self.value(a.schema, f.type)
                    if wanted is None or f.name in wanted
                    else self.passed_over(a, f)
                    for a, f in _fields(schema, python)
                }
                positional = [values[name] for name in python.cls.__match_args__]
                named = [f"{name}={values[name]}" for name in values if name not in python.cls.__match_args__]
                return f"{self._source.constant(python.cls)}({', '.join([*positional, *named])})"
            case Array(), inspect.ListType():
                name = self._source.name("v")
                self.blocks(f"{name} = []", lambda: f"{name}.append({self.value(schema.items, python.item_type)})")
                return name
            case Map(), inspect.DictType(key_type=inspect.StrType()):
                name = self._source.name("v")
                self.blocks(f"{name} = {{}}", lambda: self.entry(name, schema.values, python.value_type))
                return name
            case Union(), inspect.UnionType():
                return self.nullable(schema, python)
            case Enum(), inspect.EnumType():
                members = {2 * i: member for i, member in enumerate(_members(schema, python))}
                name = self._source.name("v")
                self.write(f"{name} = {self._source.constant(members)}[d[p]]; p += 1")
                return name
            case Primitive(), _:
                return self.primitive(_primitive(schema, python))
        raise Unsupported(f"Avro {schema.kind} to {python}")

    def passed_over(self, field: Field, python: inspect.Field) -> str:
        """Write the statements that pass over a field of a primitive type, or read any other, and give its value."""
        match field.schema.kind:
            case "string" | "bytes":
                self.write("n = d[p]")
                self.write("if n & 129: n, p = decode_length(d, p + 1, n); p += n >> 1", "else: p += (n >> 1) + 1")
            case "int" | "long":
                self.write("while d[p] > 127: p += 1", "p += 1")
            case "boolean" | "float" | "double" as kind:
                self.write(f"p += {SIZES[kind]}")
            case _:
                return self.value(field.schema, python.type)
        return "None"

    def write(self, *lines: str) -> None:
        self.lines += [self._indent + line for line in lines]

    def blocks(self, begin: str, item: Callable[[], str]) -> None:
        """Write the loop over the blocks of an array or map; `item` writes its body, and gives its last line."""
        self.write(begin, "while True:")
        self.write("    n = d[p]; p += 1", "    if n & 129: n, p = decode_count(d, p, n)")
        self.write("    if not n: break", "    for _ in range(n >> 1):")
        outer, self._indent = self._indent, self._indent + " " * 8
        self.write(item())
        self._indent = outer

    def entry(self, name: str, schema: Schema, python: inspect.Type) -> str:
        key = self.primitive("string")
        return f"{name}[{key}] = {self.value(schema, python)}"

    def nullable(self, schema: Union, python: inspect.UnionType) -> str:
        null, other, inner = _nullable(schema, python)
        name = self._source.name("v")
        self.write("n = d[p]; p += 1", f"if n == {2 * null}: {name} = None", f"elif n == {2 - 2 * null}:")
        outer, self._indent = self._indent, self._indent + "    "
        self.write(f"{name} = {self.value(other, inner)}")
        self._indent = outer
        self.write("else: raise ValueError(f'a union of two types has no type with the code {n}')")
        return name

    def primitive(self, kind: str) -> str:
        name = self._source.name("v")
        match kind:
            case "string" | "bytes":
                slice_ = "d[p:q].decode()" if kind == "string" else "d[p:q]"
                self.write("n = d[p]; p += 1", "if n & 129: n, p = decode_length(d, p, n)")
                self.write(f"q = p + (n >> 1); {name} = {slice_}; p = q")
            case "int" | "long":
                self.write("n = d[p]; p += 1", f"if n > 127: n, p = decode_{kind}(d, p, n)")
                self.write(f"{name} = n >> 1 ^ -(n & 1)")
            case "boolean":
                self.write(f"{name} = FLAG[d[p]]; p += 1")
            case _:
                self.write(f"{name} = unpack_{kind}(d, p)[0]; p += {SIZES[kind]}")
        return name


def _joined(parts: list[str]) -> str:
    return " + ".join(parts) if len(parts) < 4 else f"b''.join(({', '.join(parts)}))"


def _blocks(items: str, value: str, encoded: str) -> str:
    """Code for an array's or map's items: all in one block, then the empty one that ends them."""
    size = f"(SMALL[len({items})] if len({items}) < {varint.SMALL} else encode_long(len({items})))"
    return f"({size} + b''.join({encoded}) + b'\\x00' if len({items} := {value}) else b'\\x00')"


def _fields(schema: Record, python: inspect.StructType) -> list[tuple[Field, inspect.Field]]:
    """The fields of both, in the schema's order; there is at least one."""
    by_name = {f.encode_name: f for f in python.fields}
    if not schema.fields or {f.name for f in schema.fields} != set(by_name):
        raise Unsupported(f"record {schema.fullname} and {python.cls.__name__} have other fields")
    return [(f, by_name[f.name]) for f in schema.fields]


def _nullable(schema: Union, python: inspect.UnionType) -> tuple[int, Schema, inspect.Type]:
    """Which branch is null, and what the other is."""
    nulls = [i for i, branch in enumerate(schema.branches) if branch.kind == "null"]
    inner = [t for t in python.types if not isinstance(t, inspect.NoneType)]
    if len(schema.branches) != 2 or len(nulls) != 1 or len(inner) != 1 or len(python.types) != 2:
        raise Unsupported(f"a union of {[branch.kind for branch in schema.branches]}")
    return nulls[0], schema.branches[1 - nulls[0]], inner[0]


def _members(schema: Enum, python: inspect.EnumType) -> list[enum.Enum]:
    """The members of the class in the order of the symbols that are their values."""
    by_value = {member.value: member for member in python.cls}
    if set(by_value) != set(schema.symbols) or len(schema.symbols) > SYMBOLS_MAX:
        raise Unsupported(f"enum {schema.fullname} and {python.cls.__name__} have other symbols, or too many")
    return [by_value[symbol] for symbol in schema.symbols]


def _primitive(schema: Primitive, python: inspect.Type) -> str:
    """The kind, if values go from one to the other unchanged."""
    if "logicalType" in schema.attributes and not is_time(schema.attributes["logicalType"]):
        raise Unsupported(f"logical type {schema.attributes['logicalType']!r}")
    if python != PLAIN.get(schema.kind):
        raise Unsupported(f"Avro {schema.kind} and {python}")
    return schema.kind
