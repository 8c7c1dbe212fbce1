"""Settings of a broker from a file of properties and from `name=value`, by the names of Kafka's server.properties.

A setting is a field of BrokerConfig with dots for underscores. Nothing is ignored: a name that the broker does not know
would be a wish that silently goes unfulfilled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from tailrace.broker.config import BrokerConfig

# What Kafka calls differently, because its broker has listeners and log directories in the plural.
INSTEAD = {
    "log.dir": "data",
    "log.dirs": "data",
    "listeners": "host and port",
    "advertised.listeners": "advertised.host",
    "broker.id": "node.id",
}


class InvalidSetting(Exception):
    """A setting has an unknown name or a value that cannot be; the message says where, which, and what is valid."""


def read_config(
    file: Path | None, overrides: Iterable[str] = (), given: Mapping[str, Any] = MappingProxyType({})
) -> BrokerConfig:
    """The settings of a file, of `overrides` (each `name=value`) and as given by field, the last one winning.

    Raises InvalidSetting.
    """
    settings = _of_file(file) if file else {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise InvalidSetting(f"--override {override}: expected name=value")
        settings |= _fields({name.strip(): value.strip()}, "--override")
    return BrokerConfig(**(settings | dict(given)))


def _of_file(file: Path) -> dict[str, Any]:
    import javaproperties

    try:
        properties = javaproperties.loads(file.read_text())
    except (OSError, UnicodeDecodeError, javaproperties.InvalidUEscapeError) as error:
        raise InvalidSetting(f"{file} cannot be read: {error}") from error
    return _fields(properties, str(file))


def _fields(properties: Mapping[str, str], source: str) -> dict[str, Any]:
    types = _setting_types()
    unknown = [name for name in properties if name not in types]
    if unknown:
        raise InvalidSetting("; ".join(f"{source}: {_unknown(name)}" for name in unknown))
    return {
        name.replace(".", "_"): _convert(types[name], value, f"{source}: {name}={value}")
        for name, value in properties.items()
    }


@cache
def _setting_types() -> dict[str, Any]:
    """Every setting's dotted name and type."""
    return {field.replace("_", "."): kind for field, kind in get_type_hints(BrokerConfig).items()}


def _unknown(name: str) -> str:
    if name in INSTEAD:
        return f"{name} is {INSTEAD[name]} in this broker"
    close = get_close_matches(name, _setting_types(), 1, 0.7)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(_setting_types()))}"
    return f"there is no setting {name}; {hint}"


def _convert(kind: Any, text: str, setting: str) -> Any:
    """The text as a value of the field's type; a list or tuple is separated by commas."""
    value: object = text
    if get_origin(kind) in (list, tuple, set, frozenset):
        value = [item.strip() for item in text.split(",") if item.strip()]
    elif text.lower() in ("true", "false") and bool in (kind, *get_args(kind)):
        value = text.lower() == "true"
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{setting} is not valid: {error}") from None


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError
