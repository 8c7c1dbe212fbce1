"""The connectors, transforms and converters that configurations can name.

A plugin is named by its class, with or without package, so that configurations written for Apache Kafka Connect work
as they are. Modules are imported when a plugin is used: a worker without SQL connectors never loads SQLAlchemy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias

from tailrace.connect.errors import ConfigError

Kind: TypeAlias = Literal["source", "sink", "transformation", "converter"]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A class that a configuration can name; `aliases` are Java classes that do the same."""

    name: str
    kind: Kind
    location: str
    aliases: tuple[str, ...] = ()

    def load(self) -> Any:
        """Import the class."""
        module, _, name = self.location.partition(":")
        return getattr(import_module(f"tailrace.connect.{module}"), name)


PLUGINS: tuple[Plugin, ...] = (
    Plugin(
        "SqlSink",
        "sink",
        "connectors.sql.sink:SqlSink",
        ("io.confluent.connect.jdbc.JdbcSinkConnector", "io.aiven.connect.jdbc.JdbcSinkConnector"),
    ),
    Plugin(
        "SqlSource",
        "source",
        "connectors.sql.source:SqlSource",
        ("io.confluent.connect.jdbc.JdbcSourceConnector", "io.aiven.connect.jdbc.JdbcSourceConnector"),
    ),
    Plugin(
        "ValueToKey",
        "transformation",
        "transforms.value_to_key:ValueToKey",
        ("org.apache.kafka.connect.transforms.ValueToKey",),
    ),
    Plugin(
        "ExtractField",
        "transformation",
        "transforms.extract_field:ExtractField",
        ("org.apache.kafka.connect.transforms.ExtractField",),
    ),
    Plugin(
        "ReplaceField",
        "transformation",
        "transforms.replace_field:ReplaceField",
        ("org.apache.kafka.connect.transforms.ReplaceField",),
    ),
    Plugin("AvroConverter", "converter", "converters.avro:AvroConverter", ("io.confluent.connect.avro.AvroConverter",)),
    Plugin(
        "JsonConverter",
        "converter",
        "converters.plain:JsonConverter",
        ("org.apache.kafka.connect.json.JsonConverter",),
    ),
    Plugin(
        "StringConverter",
        "converter",
        "converters.plain:StringConverter",
        ("org.apache.kafka.connect.storage.StringConverter",),
    ),
    Plugin(
        "ByteArrayConverter",
        "converter",
        "converters.plain:ByteArrayConverter",
        ("org.apache.kafka.connect.converters.ByteArrayConverter",),
    ),
)


def find_plugin(key: str, named: str, *kinds: Kind) -> Plugin:
    """Find the plugin that the value of a configuration key names. Raises ConfigError."""
    candidates = _by_name(*kinds)
    try:
        return candidates[named]
    except KeyError:
        known = ", ".join(plugin.name for plugin in dict.fromkeys(candidates.values()))
        raise ConfigError(f"{key}={named!r} is not a known {' or '.join(kinds)}; known are {known}") from None


def _by_name(*kinds: Kind) -> Mapping[str, Plugin]:
    return {
        name: plugin
        for plugin in PLUGINS
        if plugin.kind in kinds
        for name in (plugin.name, *plugin.aliases, *(alias.rpartition(".")[2] for alias in plugin.aliases))
    }
