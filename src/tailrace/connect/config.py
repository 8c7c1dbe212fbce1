"""Configuration keys: what a connector understands, checked before anything starts.

Keys, defaults and the form of lists are Kafka Connect's; all values are strings, as in its REST interface.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tailrace.connect.errors import ConfigError

Settings: TypeAlias = dict[str, Any]
"""Parsed configuration, by key."""

REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key.

    `parse` turns the text into a value and raises ValueError saying what it expected; a default of None means that
    the key may be left out. `aliases` are other names for the same key.
    """

    name: str
    documentation: str
    parse: Callable[[str], Any]
    default: Any = REQUIRED
    aliases: Sequence[str] = ()


def text(value: str) -> str:
    """Take any text but the empty one."""
    if not value:
        raise ValueError("some text")
    return value


def text_or_empty(value: str) -> str:
    """Take any text."""
    return value


def names(value: str) -> list[str]:
    """Take a list, separated by commas."""
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise ValueError("names separated by commas")
    return parts


def pairs(value: str) -> dict[str, str]:
    """Take a list of `from:to`."""
    found = [part.split(":") for part in names(value)]
    if not all(len(pair) == 2 and all(pair) for pair in found):
        raise ValueError("from:to pairs separated by commas")
    return dict(found)


def boolean(value: str) -> bool:
    """Take true or false."""
    if value.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return value.lower() == "true"


def pattern(value: str) -> re.Pattern[str]:
    """Take a regular expression."""
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None


def one_of(*allowed: str) -> Callable[[str], str]:
    """Take one of the words given, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value.lower()

    return parse


def at_least(minimum: int) -> Callable[[str], int]:
    """Take a whole number not below the minimum."""

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = minimum - 1
        if number < minimum:
            raise ValueError(f"a whole number from {minimum} on")
        return number

    return parse


def parse_config(owner: str, config: Mapping[str, object], keys: Sequence[Key]) -> Settings:
    """Check a configuration against the keys and give every key's value, defaults included.

    `owner` begins the message of the ConfigError, which tells all problems at once.
    """
    by_name = {name: key for key in keys for name in (key.name, *key.aliases)}
    problems: list[str] = []
    settings: Settings = {}
    for name, value in config.items():
        key = by_name.get(name)
        if key is None:
            problems.append(_unknown(name, value, by_name))
        elif key.name in settings:
            problems.append(f"{name}={value!r} repeats {key.name}; give one of {', '.join((key.name, *key.aliases))}")
        else:
            settings[key.name] = _parsed(key, name, value, problems)
    for key in keys:
        if key.name not in settings:
            if key.default is REQUIRED:
                problems.append(f"{key.name} is missing: {key.documentation}")
            settings[key.name] = key.default
    if problems:
        raise ConfigError(f"{owner}: " + "; ".join(problems))
    return settings


def with_prefix(config: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Give what stands under the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in config.items() if name.startswith(prefix)}


def without_prefixes(config: Mapping[str, str], prefixes: Iterable[str]) -> dict[str, str]:
    """Give what stands under none of the prefixes."""
    return {name: value for name, value in config.items() if not name.startswith(tuple(prefixes))}


def _parsed(key: Key, name: str, value: object, problems: list[str]) -> Any:
    if not isinstance(value, str):
        problems.append(f"{name}={value!r} is not text; write {name}={str(value)!r}")
        return None
    try:
        return key.parse(value.strip())
    except ValueError as expected:
        problems.append(f"{name}={value!r} is not allowed, expected {expected}")
        return None


def _unknown(name: str, value: object, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return f"{name}={value!r} is not a key of this connector; {hint}"
