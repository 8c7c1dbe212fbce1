"""Keys as text, as they stand in paths: text as it is, bytes as base64, all others as their JSON."""

from typing import Any

import msgspec

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde


class NoKey(Exception):
    """A text that is no key of a table, and why."""


def parse_key(text: str, serde: Serde[Any]) -> Any:
    """The key that a text stands for, which the serde writes. Raises NoKey."""
    expected = python_type(serde)
    try:
        if expected in (str, bytes):
            key = msgspec.convert(text, expected)
        else:
            key = msgspec.json.decode(text, type=expected)
        serde.encode(key)
    except (msgspec.MsgspecError, SerdeError, UnicodeError) as error:
        raise NoKey(f"{text!r} is no key: expected {_form(expected)}; {error}") from error
    return key


def python_type(serde: Serde[Any]) -> Any:
    """What msgspec makes of JSON for a serde; anything where the serde does not say."""
    return getattr(serde, "python_type", Any)


def type_name(kind: Any) -> str | None:
    """The name of a type, None for anything."""
    return None if kind is Any else getattr(kind, "__name__", str(kind))


def _form(kind: Any) -> str:
    if kind is bytes:
        return "base64"
    return "text" if kind is str else f"the JSON of {type_name(kind) or 'a value'}"
