"""Any request of an API and version, as Hypothesis draws it."""

from __future__ import annotations

from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tailrace.wire.encoding import NUMBERS, classify

BITS = {"b": 8, "h": 16, "i": 32, "q": 64, "H": 16, "I": 32}


@cache
def requests(schema: type[Any], *names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any request; strings are more often than not among `names`, numbers small or at the ends of their range."""
    return st.fixed_dictionaries({field.name: _values(field, schema, names) for field in fields(schema)})


def _values(field: Field[Any], schema: type[Any], names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    shape, item = classify(field.type)
    content = requests(item, *names) if is_dataclass(item) else _primitives(field.metadata["kafka_type"], names)
    if "[]" in shape:
        content = st.lists(content, max_size=3)
    is_legacy_struct = is_dataclass(item) and "[]" not in shape
    is_nullable = shape.endswith("?") and "tag" not in field.metadata and not is_legacy_struct
    return st.none() | content if is_nullable else content


def _primitives(kafka_type: str, names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    if kafka_type == "string":
        return st.sampled_from(names) | st.text(max_size=8)
    if kafka_type in ("bytes", "records"):
        return st.binary(max_size=100)
    if kafka_type == "uuid":
        return st.none() | st.uuids()
    if kafka_type == "bool":
        return st.booleans()
    code = NUMBERS[kafka_type][1:]
    if code == "d":
        return st.floats(allow_nan=False)
    high = 2 ** (BITS[code] - 1) - 1
    # Times of up to an hour: longer ones kio cannot hold.
    ends = [0, 1, 3_600_000] if "time" in kafka_type else [-high - 1, high]
    return st.integers(-3, 5) | st.sampled_from(ends) if "time" not in kafka_type else st.sampled_from([0, 1, 3, *ends])
