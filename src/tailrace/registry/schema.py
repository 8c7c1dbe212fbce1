"""Avro schemas as values: parsed, validated, and printed in one normal form.

Stricter than `avro` and `fastavro`, each of which accepts schemas that Java's Avro refuses: duplicate fields, unions
with a type twice, defaults of the wrong type. Source: Apache Avro 1.12 specification.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import msgspec

Primitives = Literal["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
PRIMITIVES: frozenset[str] = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1

Attributes = dict[str, Any]
"""What the specification does not give a meaning for parsing: `doc`, `logicalType`, `precision`, one's own."""


class InvalidSchema(ValueError):
    """The text is no Avro schema; the message says where and why."""


@dataclass(slots=True, eq=False)
class Primitive:
    """One of the eight types without parts."""

    kind: Primitives
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Array:
    """Any number of items of one type."""

    kind: ClassVar[Literal["array"]] = "array"
    items: "Schema"
    attributes: Attributes


@dataclass(slots=True, eq=False)
class Map:
    """Values of one type under string keys."""

    kind: ClassVar[Literal["map"]] = "map"
    values: "Schema"
    attributes: Attributes


@dataclass(slots=True, eq=False)
class Union:
    """One of several types."""

    kind: ClassVar[Literal["union"]] = "union"
    branches: "list[Schema]"


@dataclass(slots=True, eq=False)
class Enum:
    """One of several symbols; `default` stands in for symbols a reader does not know."""

    kind: ClassVar[Literal["enum"]] = "enum"
    fullname: str
    aliases: list[str]
    attributes: Attributes
    symbols: list[str]
    default: str | None


@dataclass(slots=True, eq=False)
class Fixed:
    """Exactly `size` bytes."""

    kind: ClassVar[Literal["fixed"]] = "fixed"
    fullname: str
    aliases: list[str]
    attributes: Attributes
    size: int


@dataclass(slots=True, eq=False)
class Field:
    """A field of a record. `default` holds JSON, and counts only where `has_default`."""

    name: str
    schema: "Schema"
    aliases: list[str]
    attributes: Attributes
    has_default: bool
    default: Any


@dataclass(slots=True, eq=False)
class Record:
    """Named fields in order. Recursive types hold themselves."""

    kind: ClassVar[Literal["record"]] = "record"
    fullname: str
    aliases: list[str]
    attributes: Attributes
    fields: list[Field]


Named = Enum | Fixed | Record
Schema = Primitive | Array | Map | Union | Enum | Fixed | Record


def parse(text: str) -> Schema:
    """Parse and validate a schema in Avro's JSON. Raises InvalidSchema."""
    try:
        return _Parser().schema(msgspec.json.decode(text), "", "/")
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidSchema(f"the schema is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidSchema("the schema is nested too deeply") from error


def normal(schema: Schema) -> str:
    """Print a schema so that two spellings of one schema give the same text.

    Whitespace, the order of keys, and the ways to write a name do not show; docs, defaults and attributes do.
    """
    return msgspec.json.encode(_print(schema, "", set())).decode()


def short_name(fullname: str) -> str:
    """Give a name without its namespace."""
    return fullname.rpartition(".")[2]


class _Parser:
    def __init__(self) -> None:
        self.named: dict[str, Named] = {}

    def schema(self, node: object, namespace: str, path: str) -> Schema:
        match node:
            case str() if node in PRIMITIVES:
                return Primitive(node)  # type: ignore[arg-type]
            case str():
                return self.reference(node, namespace, path)
            case list():
                return self.union(node, namespace, path)
            case dict() if isinstance(kind := node.get("type"), str):
                return self.typed(kind, node, namespace, path)
            case {"type": dict() | list() as inner}:
                return self.schema(inner, namespace, path)
        raise InvalidSchema(f'{path}: {node!r} is no schema; expected a name, a list, or an object with a "type"')

    def typed(self, kind: str, node: dict[str, Any], namespace: str, path: str) -> Schema:
        match kind:
            case _ if kind in PRIMITIVES:
                return Primitive(kind, _rest(node, "type"))  # type: ignore[arg-type]
            case "record" | "error":
                return self.record(node, namespace, path)
            case "enum":
                return self.enum(node, namespace, path)
            case "fixed":
                return self.fixed(node, namespace, path)
            case "array":
                items = self.schema(_need(node, "items", path), namespace, _join(path, "items"))
                return Array(items, _rest(node, "type", "items"))
            case "map":
                values = self.schema(_need(node, "values", path), namespace, _join(path, "values"))
                return Map(values, _rest(node, "type", "values"))
        return self.reference(kind, namespace, path)

    def reference(self, name: str, namespace: str, path: str) -> Schema:
        found = self.named.get(_qualify(name, namespace)) or self.named.get(name)
        if found is None:
            raise InvalidSchema(f"{path}: unknown type {name!r}; a named type must be defined before it is used")
        return found

    def union(self, nodes: list[object], namespace: str, path: str) -> Union:
        branches = [self.schema(node, namespace, _join(path, str(i))) for i, node in enumerate(nodes)]
        seen = set()
        for branch in branches:
            if branch.kind == "union":
                raise InvalidSchema(f"{path}: a union directly inside a union")
            identity = getattr(branch, "fullname", branch.kind)
            if identity in seen:
                raise InvalidSchema(f"{path}: {identity!r} twice in one union")
            seen.add(identity)
        return Union(branches)

    def record(self, node: dict[str, Any], namespace: str, path: str) -> Record:
        fullname, space, aliases = self.names(node, namespace, path)
        rest = _rest(node, "type", "name", "namespace", "aliases", "fields")
        record = Record(fullname, aliases, rest, [])
        self.named[fullname] = record
        for i, field_node in enumerate(_need(node, "fields", path, list)):
            record.fields.append(self.field(field_node, space, _join(path, f"fields/{i}")))
        _unique([f.name for f in record.fields], "field", path)
        return record

    def field(self, node: object, namespace: str, path: str) -> Field:
        if not isinstance(node, dict):
            raise InvalidSchema(f"{path}: {node!r} is no field; expected an object")
        name = _valid_name(_need(node, "name", path, str), path)
        schema = self.schema(_need(node, "type", path), namespace, _join(path, "type"))
        has_default = "default" in node
        if has_default and not _is_default(schema, node["default"]):
            kind = getattr(schema, "fullname", schema.kind)
            raise InvalidSchema(f"{path}: default {node['default']!r} of field {name!r} is no {kind}")
        aliases = _strings(node, "aliases", path)
        rest = _rest(node, "name", "type", "default", "aliases")
        return Field(name, schema, aliases, rest, has_default, node.get("default"))

    def enum(self, node: dict[str, Any], namespace: str, path: str) -> Enum:
        fullname, _, aliases = self.names(node, namespace, path)
        symbols = _strings(node, "symbols", path)
        for symbol in symbols:
            _valid_name(symbol, path)
        _unique(symbols, "symbol", path)
        default = node.get("default")
        if default is not None and default not in symbols:
            raise InvalidSchema(f"{path}: default {default!r} of enum {fullname!r} is not one of its symbols")
        rest = _rest(node, "type", "name", "namespace", "aliases", "symbols", "default")
        enum = self.named[fullname] = Enum(fullname, aliases, rest, symbols, default)
        return enum

    def fixed(self, node: dict[str, Any], namespace: str, path: str) -> Fixed:
        fullname, _, aliases = self.names(node, namespace, path)
        size = _need(node, "size", path, int)
        if size < 0:
            raise InvalidSchema(f"{path}: size {size} of fixed {fullname!r} is negative")
        rest = _rest(node, "type", "name", "namespace", "aliases", "size")
        fixed = self.named[fullname] = Fixed(fullname, aliases, rest, size)
        return fixed

    def names(self, node: dict[str, Any], enclosing: str, path: str) -> tuple[str, str, list[str]]:
        """Full name, namespace and full aliases of a named type."""
        name, namespace = _need(node, "name", path, str), node.get("namespace", enclosing)
        if not isinstance(namespace, str):
            raise InvalidSchema(f"{path}: namespace {namespace!r} is no string")
        fullname = _qualify(name, namespace)
        for part in fullname.split("."):
            _valid_name(part, path)
        if fullname in self.named or fullname in PRIMITIVES:
            raise InvalidSchema(f"{path}: type {fullname!r} is already defined")
        space = fullname.rpartition(".")[0]
        return fullname, space, [_qualify(alias, space) for alias in _strings(node, "aliases", path)]


def _qualify(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _join(path: str, part: str) -> str:
    return path.rstrip("/") + "/" + part


def _rest(node: dict[str, Any], *known: str) -> Attributes:
    return {key: node[key] for key in sorted(node) if key not in known}


def _need(node: dict[str, Any], key: str, path: str, expected: type = object) -> Any:
    value = node.get(key)
    if value is None or not isinstance(value, expected):
        what = f"is {value!r}" if key in node else "is missing"
        raise InvalidSchema(f"{path}: {key!r} {what}; expected {_article(expected)}")
    return value


def _article(expected: type) -> str:
    return {str: "a string", list: "a list", int: "an integer"}.get(expected, "a schema")


def _strings(node: dict[str, Any], key: str, path: str) -> list[str]:
    values = node.get(key, []) if key == "aliases" else _need(node, key, path, list)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidSchema(f"{path}: {key!r} is {values!r}; expected a list of strings")
    return values


def _valid_name(name: str, path: str) -> str:
    if NAME.fullmatch(name) is None:
        raise InvalidSchema(f"{path}: {name!r} is no name; expected a letter or _, then letters, digits or _")
    return name


def _unique(names: list[str], what: str, path: str) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InvalidSchema(f"{path}: {what} {name!r} twice")


def _is_default(schema: Schema, value: Any) -> bool:
    """Say whether JSON is a value of the type. Bytes are written as strings of the code points 0 to 255."""
    match schema:
        case Primitive():
            return _is_primitive(schema.kind, value)
        case Enum():
            return value in schema.symbols
        case Fixed():
            return _is_bytes(value) and len(value) == schema.size
        case Array():
            return isinstance(value, list) and all(_is_default(schema.items, item) for item in value)
        case Map():
            return isinstance(value, dict) and all(_is_default(schema.values, item) for item in value.values())
        case Union():
            return any(_is_default(branch, value) for branch in schema.branches)
        case Record():
            return isinstance(value, dict) and all(
                _is_default(f.schema, value[f.name]) if f.name in value else f.has_default for f in schema.fields
            )


def _is_primitive(kind: Primitives, value: Any) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            limit = INT_MAX if kind == "int" else LONG_MAX
            return isinstance(value, int) and not isinstance(value, bool) and -limit - 1 <= value <= limit
        case "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bytes":
            return _is_bytes(value)
        case "string":
            return isinstance(value, str)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, str) and all(char <= "\xff" for char in value)


def _print(schema: Schema, namespace: str, defined: set[str]) -> Any:
    match schema:
        case Primitive():
            return {"type": schema.kind, **schema.attributes} if schema.attributes else schema.kind
        case Array():
            return {"type": "array", "items": _print(schema.items, namespace, defined), **schema.attributes}
        case Map():
            return {"type": "map", "values": _print(schema.values, namespace, defined), **schema.attributes}
        case Union():
            return [_print(branch, namespace, defined) for branch in schema.branches]
        case _ if schema.fullname in defined:
            space, _, name = schema.fullname.rpartition(".")
            return name if space == namespace else schema.fullname
    defined.add(schema.fullname)
    return dict(_print_named(schema, namespace, defined))


def _print_named(schema: Named, enclosing: str, defined: set[str]) -> Iterator[tuple[str, Any]]:
    space, _, name = schema.fullname.rpartition(".")
    yield "type", schema.kind
    yield "name", name
    if space != enclosing:
        yield "namespace", space
    if schema.aliases:
        yield "aliases", schema.aliases
    yield from schema.attributes.items()
    match schema:
        case Record():
            yield "fields", [_print_field(f, space, defined) for f in schema.fields]
        case Enum():
            yield "symbols", schema.symbols
            if schema.default is not None:
                yield "default", schema.default
        case Fixed():
            yield "size", schema.size


def _print_field(f: Field, namespace: str, defined: set[str]) -> dict[str, Any]:
    printed = {"name": f.name, "type": _print(f.schema, namespace, defined)}
    if f.has_default:
        printed["default"] = f.default
    if f.aliases:
        printed["aliases"] = f.aliases
    return printed | f.attributes
