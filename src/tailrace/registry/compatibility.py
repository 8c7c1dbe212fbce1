"""Whether data written with one schema can be read with another, and what a subject asks of its next schema.

The rules are those of Avro's schema resolution, as Java's `SchemaCompatibility` checks them: the unqualified names of
named types must match, or an alias of the reader name the writer's full name.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tailrace.registry.schema import Enum, Field, Fixed, Named, Record, Schema, Union, short_name


class Level(StrEnum):
    """What must hold between a subject's next schema and the ones before it.

    BACKWARD: the next reads what the latest wrote. FORWARD: the latest reads what the next writes. FULL: both.
    The TRANSITIVE ones hold against all earlier versions, not only the latest.
    """

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_transitive(self) -> bool:
        """Whether it asks about all earlier versions."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def is_backward(self) -> bool:
        """Whether new readers must read old data."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def is_forward(self) -> bool:
        """Whether old readers must read new data."""
        return self.value.startswith(("FORWARD", "FULL"))


class Incompatibility(NamedTuple):
    """One reason why a reader cannot read what a writer may write. `path` leads there in the reader's schema."""

    type: str
    path: str
    detail: str


PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "bytes": {"string"},
    "string": {"bytes"},
}
"""From which other types a reader's type can be read."""


def incompatibilities(reader: Schema, writer: Schema) -> list[Incompatibility]:
    """Give all reasons why `reader` cannot read data of `writer`; empty if it can."""
    return _Comparison().run(reader, writer)


def explain(new: Schema, old: Schema, level: Level) -> list[str]:
    """Say in sentences what `level` forbids between a new schema and an old one; empty if nothing."""
    messages = []
    if level.is_backward:
        messages += [_sentence(reason, "new", "old") for reason in incompatibilities(new, old)]
    if level.is_forward:
        messages += [_sentence(reason, "old", "new") for reason in incompatibilities(old, new)]
    return messages


def _sentence(reason: Incompatibility, reader: str, writer: str) -> str:
    texts = {
        "NAME_MISMATCH": f"the {reader} schema's type is not named {{detail}} as in the {writer} schema",
        "FIXED_SIZE_MISMATCH": f"the {reader} schema's fixed has another size than the {writer} schema's: {{detail}}",
        "MISSING_ENUM_SYMBOLS": f"the {reader} schema's enum lacks symbols of the {writer} schema: {{detail}}",
        "READER_FIELD_MISSING_DEFAULT_VALUE": (
            f"field {{detail}} of the {reader} schema has no default value and is missing in the {writer} schema"
        ),
        "TYPE_MISMATCH": f"the {reader} schema cannot read the {writer} schema's type: {{detail}}",
        "MISSING_UNION_BRANCH": f"the {reader} schema's union lacks a type of the {writer} schema: {{detail}}",
    }
    text = texts[reason.type].replace("{detail}", reason.detail)
    return f"{{errorType:'{reason.type}', description:'{text} (path {reason.path})', additionalInfo:'{reason.detail}'}}"


_BEING_REPORTED = Incompatibility("", "", "")
"""A recursive pair already known to fail; whoever compares it further out reports why."""


class _Comparison:
    """Compares two schemas that may be recursive.

    A pair met again while it is being compared is taken to be compatible. Where that proves wrong, what was concluded
    from it may be wrong, so all is compared again with the failed pairs known, until no new one turns up.
    """

    def __init__(self) -> None:
        self.failed: set[tuple[int, int]] = set()
        self.met: dict[tuple[int, int], list[Incompatibility]] = {}

    def run(self, reader: Schema, writer: Schema) -> list[Incompatibility]:
        while True:
            known = len(self.failed)
            self.met.clear()
            reasons = self.compare(reader, writer, "")
            if len(self.failed) == known:
                return [reason for reason in dict.fromkeys(reasons) if reason is not _BEING_REPORTED]

    def compare(self, reader: Schema, writer: Schema, path: str) -> list[Incompatibility]:
        pair = id(reader), id(writer)
        if pair not in self.met:
            self.met[pair] = [_BEING_REPORTED] if pair in self.failed else []
            self.met[pair] = list(self.reasons(reader, writer, path))
            if self.met[pair]:
                self.failed.add(pair)
        return self.met[pair]

    def reasons(self, reader: Schema, writer: Schema, path: str) -> Iterator[Incompatibility]:
        match reader, writer:
            case _, Union():
                for i, branch in enumerate(writer.branches):
                    if isinstance(reader, Union):
                        yield from self.branch(reader, branch, f"{path}/{i}")
                    else:
                        yield from self.compare(reader, branch, path)
            case Union(), _:
                yield from self.branch(reader, writer, path)
            case Record(), Record():
                yield from _names(reader, writer, path)
                for i, reader_field in enumerate(reader.fields):
                    yield from self.field(reader_field, writer, f"{path}/fields/{i}")
            case Enum(), Enum():
                yield from _names(reader, writer, path)
                lacking = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
                if lacking and reader.default is None:
                    detail = f"[{', '.join(lacking)}]"
                    yield Incompatibility("MISSING_ENUM_SYMBOLS", f"{path}/symbols", detail)
            case Fixed(), Fixed():
                yield from _names(reader, writer, path)
                if reader.size != writer.size:
                    detail = f"expected: {writer.size}, found: {reader.size}"
                    yield Incompatibility("FIXED_SIZE_MISMATCH", f"{path}/size", detail)
            case _ if reader.kind == "array" and writer.kind == "array":
                yield from self.compare(reader.items, writer.items, f"{path}/items")
            case _ if reader.kind == "map" and writer.kind == "map":
                yield from self.compare(reader.values, writer.values, f"{path}/values")
            case _ if reader.kind != writer.kind and writer.kind not in PROMOTIONS.get(reader.kind, ()):
                yield Incompatibility("TYPE_MISMATCH", path or "/", _mismatch(reader, writer))

    def branch(self, reader: Union, writer: Schema, path: str) -> Iterator[Incompatibility]:
        if not any(not self.compare(branch, writer, path) for branch in reader.branches):
            detail = f"reader union lacking writer type: {writer.kind.upper()}"
            yield Incompatibility("MISSING_UNION_BRANCH", path or "/", detail)

    def field(self, reader: Field, writer: Record, path: str) -> Iterator[Incompatibility]:
        found = next((f for name in (reader.name, *reader.aliases) for f in writer.fields if f.name == name), None)
        if found is not None:
            yield from self.compare(reader.schema, found.schema, f"{path}/type")
        elif not reader.has_default:
            yield Incompatibility("READER_FIELD_MISSING_DEFAULT_VALUE", path, reader.name)


def _names(reader: Named, writer: Named, path: str) -> Iterator[Incompatibility]:
    if short_name(reader.fullname) != short_name(writer.fullname) and writer.fullname not in reader.aliases:
        yield Incompatibility("NAME_MISMATCH", f"{path}/name", writer.fullname)


def _mismatch(reader: Schema, writer: Schema) -> str:
    return f"reader type: {reader.kind.upper()} not compatible with writer type: {writer.kind.upper()}"
