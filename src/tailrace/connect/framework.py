"""The configuration that every connector has, whatever it connects to."""

from collections.abc import Mapping
from typing import Any

from tailrace.connect.config import (
    Key,
    at_least,
    boolean,
    names,
    one_of,
    parse_config,
    pattern,
    text,
    with_prefix,
    without_prefixes,
)
from tailrace.connect.connector import Connector, ConnectorConfig
from tailrace.connect.converters import make_converter
from tailrace.connect.errors import ConfigError
from tailrace.connect.plugins import find_plugin
from tailrace.connect.transforms.chain import make_chain

OPEN_PREFIXES = ("transforms", "key.converter", "value.converter", "producer.override.", "consumer.override.")

COMMON = (
    Key("name", "Name of the connector, unique in the worker.", text),
    Key("connector.class", "Which connector it is.", text),
    Key("tasks.max", "Most tasks that share the work.", at_least(1), 1),
    Key(
        "errors.tolerance", "none: a bad record stops the task; all: it is passed over.", one_of("none", "all"), "none"
    ),
    Key("errors.log.enable", "Whether to log each record passed over.", boolean, False),
    Key(
        "max.retries",
        "Tries after a failure that may pass; an unreachable system is always waited for.",
        at_least(0),
        10,
    ),
    Key("retry.backoff.ms", "Longest pause between tries.", at_least(1), 3000),
)
SINK = (
    Key("topics", "Topics to read.", names, None),
    Key("topics.regex", "Topics to read, as a regular expression.", pattern, None),
    Key("errors.deadletterqueue.topic.name", "Topic for records passed over.", text, None),
)
SOURCE = (
    Key("poll.interval.ms", "Pause after a poll that found all there was.", at_least(1), 5000),
    Key("topic.creation.default.partitions", "Create topics that are missing, with so many.", at_least(1), None),
)


def read_config(config: Mapping[str, str]) -> ConnectorConfig:
    """Check a connector's whole configuration. Raises ConfigError."""
    owner = f"connector {config.get('name', '(without a name)')}"
    try:
        return _read(owner, config)
    except ConfigError as error:
        message = str(error)
        raise ConfigError(message if message.startswith(owner) else f"{owner}: {message}") from None


def _read(owner: str, config: Mapping[str, str]) -> ConnectorConfig:
    if "connector.class" not in config:
        raise ConfigError("connector.class is missing: which connector it is, such as SqlSink")
    plugin = find_plugin("connector.class", config["connector.class"], "source", "sink").load()
    keys = COMMON + (SINK if plugin.kind == "sink" else SOURCE) + tuple(plugin.keys)
    settings = parse_config(owner, without_prefixes(config, OPEN_PREFIXES), keys)
    if plugin.kind == "sink":
        _check_sink(settings)
    options = {key: value for key, value in config.items() if key.startswith(OPEN_PREFIXES)}
    make_chain(options)
    for side in ("key", "value"):
        make_converter(side, options, None)
    connector: Connector = plugin(settings)
    connector.validate()
    return ConnectorConfig(settings["name"], dict(config), connector, settings, options)


def _check_sink(settings: Mapping[str, Any]) -> None:
    if (settings["topics"] is None) == (settings["topics.regex"] is None):
        raise ConfigError("give one of topics and topics.regex: which topics to read")
    if settings["errors.deadletterqueue.topic.name"] and settings["errors.tolerance"] == "none":
        raise ConfigError(
            "errors.deadletterqueue.topic.name is set, but errors.tolerance=none stops at the first bad record;"
            " set errors.tolerance=all"
        )


def overrides(config: ConnectorConfig, client: str) -> dict[str, str]:
    """Give the Kafka settings under `producer.override.` or `consumer.override.`."""
    return with_prefix(config.options, f"{client}.override.")
