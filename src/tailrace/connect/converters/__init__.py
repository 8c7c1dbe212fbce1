"""Converters: how keys and values stand as bytes in a topic."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from tailrace.connect.config import parse_config, with_prefix
from tailrace.connect.plugins import find_plugin
from tailrace.connect.record import Schema

DEFAULTS = {"key": "StringConverter", "value": "AvroConverter"}


class Converter(Protocol):
    """Turns the bytes of a topic into values and back."""

    def decode(self, topic: str, data: bytes | None) -> tuple[Any, Schema | None]:
        """Give the value and, where the format has one, its schema. Raises DataError, RetriableError."""

    def encode(self, topic: str, value: Any, schema: Schema | None) -> bytes | None:
        """Give the bytes; `schema` is the one to fall back to when the topic has no contract. Raises DataError."""


def make_converter(side: Literal["key", "value"], config: Mapping[str, str], registry: Any) -> Converter:
    """Make what `key.converter` or `value.converter` asks for. Raises ConfigError."""
    name = f"{side}.converter"
    plugin = find_plugin(name, config.get(name, DEFAULTS[side]), "converter").load()
    settings = parse_config(name, with_prefix(config, f"{name}."), plugin.keys)
    converter: Converter = plugin(settings, registry, is_key=side == "key")
    return converter
