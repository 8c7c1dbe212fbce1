"""Null where a message must have an array: `kio` lets it pass, and handlers do not expect it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from tailrace.wire.encoding import classify

Check = Callable[[Any], None]


class UnexpectedNull(Exception):
    """A message has null where its definition has an array."""


class _Part(NamedTuple):
    name: str
    is_array: bool
    is_nullable: bool
    check: Check | None


def null_check(schema: type[Any]) -> Check | None:
    """What raises UnexpectedNull for a message of the class that has such a null; None when none can."""
    parts = [part for part in _parts(schema) if part.check or (part.is_array and not part.is_nullable)]
    if not parts:
        return None

    def check(message: Any) -> None:
        for name, is_array, is_nullable, check_item in parts:
            value = getattr(message, name)
            if value is None:
                if is_array and not is_nullable:
                    raise UnexpectedNull(f"{name} of {schema.__name__} is null, expected an array")
            elif check_item is not None:
                for item in value if is_array else (value,):
                    check_item(item)

    return check


def _parts(schema: type[Any]) -> list[_Part]:
    found = []
    for field in fields(schema):
        shape, item = classify(field.type)
        found.append(
            _Part(field.name, "[]" in shape, shape.endswith("?"), null_check(item) if is_dataclass(item) else None)
        )
    return found
