"""Settings of a broker from a file of properties and from `name=value`, by the names of Kafka's server.properties.

A setting is a field of BrokerConfig with dots for underscores, or what Kafka calls the broker's default of a topic
configuration (`log.retention.hours`). Nothing is ignored: a name that the broker does not know would be a wish that
silently goes unfulfilled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from tailrace.broker.config import BrokerConfig
from tailrace.broker.topic_config_descriptions import DESCRIPTIONS
from tailrace.broker.topic_configs import problem

# What Kafka calls differently, because its broker has listeners and log directories in the plural.
INSTEAD = {
    "log.dir": "data",
    "log.dirs": "data",
    "listeners": "host and port",
    "advertised.listeners": "advertised.host",
    "broker.id": "node.id",
}


class Setting(NamedTuple):
    """A setting's text and where it was found."""

    value: str
    source: str

    def says(self, name: str) -> str:
        """How messages quote it."""
        return f"{self.source}: {name}={self.value}"


class TopicSetting(NamedTuple):
    """Which configuration of topics a setting is about, and the unit of its number."""

    config: str
    unit_ms: int = 1


IN_OTHER_UNITS = {
    "log.retention.hours": TopicSetting("retention.ms", 3_600_000),
    "log.retention.minutes": TopicSetting("retention.ms", 60_000),
    "log.roll.hours": TopicSetting("segment.ms", 3_600_000),
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
        settings[name.strip()] = Setting(value.strip(), "--override")
    _check_names(settings)
    return BrokerConfig(**({**_fields(settings), "topic_defaults": _topic_defaults(settings)} | dict(given)))


def _of_file(file: Path) -> dict[str, Setting]:
    import javaproperties

    try:
        properties = javaproperties.loads(file.read_text())
    except (OSError, UnicodeDecodeError, javaproperties.InvalidUEscapeError) as error:
        raise InvalidSetting(f"{file} cannot be read: {error}") from error
    return {name: Setting(value, str(file)) for name, value in properties.items()}


def _check_names(settings: Mapping[str, Setting]) -> None:
    known = {*_setting_types(), *_topic_settings()}
    unknown = [f"{setting.source}: {_unknown(name, known)}" for name, setting in settings.items() if name not in known]
    if unknown:
        raise InvalidSetting("; ".join(unknown))


def _unknown(name: str, known: set[str]) -> str:
    if name in INSTEAD:
        return f"{name} is {INSTEAD[name]} in this broker"
    close = get_close_matches(name, known, 1, 0.7)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
    return f"there is no setting {name}; {hint}"


@cache
def _setting_types() -> dict[str, Any]:
    """Dotted name and type of every field of BrokerConfig that is a setting by itself."""
    types = {field.replace("_", "."): kind for field, kind in get_type_hints(BrokerConfig).items()}
    del types["topic.defaults"]
    return types


def _fields(settings: Mapping[str, Setting]) -> dict[str, Any]:
    return {
        name.replace(".", "_"): _convert(kind, settings[name].value, settings[name].says(name))
        for name, kind in _setting_types().items()
        if name in settings
    }


@cache
def _topic_settings() -> dict[str, TopicSetting]:
    """Settings for topics that leave a configuration open; of several for the same one, the last here wins."""
    names = {description.broker_name: name for name, description in DESCRIPTIONS.items() if description.broker_name}
    return IN_OTHER_UNITS | {setting: TopicSetting(config) for setting, config in names.items()}


def _topic_defaults(settings: Mapping[str, Setting]) -> dict[str, str]:
    defaults = {}
    for name, (config, unit_ms) in _topic_settings().items():
        if name in settings:
            defaults[config] = _topic_default(config, unit_ms, settings[name].value, settings[name].says(name))
    wrong = problem(defaults)
    if wrong is not None:
        raise InvalidSetting(wrong)
    return defaults


def _topic_default(config: str, unit_ms: int, text: str, setting: str) -> str:
    if unit_ms != 1:
        number: int = _convert(int, text, setting)
        text = str(number * unit_ms if number > 0 else number)  # -1 is for ever in each unit
    if problem({config: text}) is not None:
        raise InvalidSetting(f"{setting} is not valid for {config} of topics")
    return text


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
