"""What can be configured of a single group, by Kafka's names; where it is not, the broker's own settings hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tailrace.broker.call import Response
from tailrace.broker.config import BrokerConfig
from tailrace.broker.topic_configs import ConfigType

RESOURCE_TYPE = 32
DEFAULT, SET_ON_GROUP = 5, 8  # sources of a value

SESSION_TIMEOUT_MS = "consumer.session.timeout.ms"
HEARTBEAT_INTERVAL_MS = "consumer.heartbeat.interval.ms"


class Bounds(NamedTuple):
    """What the broker says about a configuration: the default, the least and the most."""

    default: int
    low: int
    high: int


def bounds(config: BrokerConfig) -> dict[str, Bounds]:
    """All configurations of groups."""
    return {
        SESSION_TIMEOUT_MS: Bounds(
            config.group_consumer_session_timeout_ms,
            config.group_consumer_min_session_timeout_ms,
            config.group_consumer_max_session_timeout_ms,
        ),
        HEARTBEAT_INTERVAL_MS: Bounds(
            config.group_consumer_heartbeat_interval_ms,
            config.group_consumer_min_heartbeat_interval_ms,
            config.group_consumer_max_heartbeat_interval_ms,
        ),
    }


def value(name: str, configs: Mapping[str, str], config: BrokerConfig) -> int:
    """A configuration of a group, within what the broker allows today."""
    default, low, high = bounds(config)[name]
    return min(max(int(configs[name]), low), high) if name in configs else default


def describe(configs: Mapping[str, str], config: BrokerConfig) -> Iterator[Response]:
    """All configurations of a group that has these, as DescribeConfigs tells them."""
    for name, (default, _, _) in bounds(config).items():
        is_set = name in configs
        present = [{"name": name, "value": configs[name], "source": SET_ON_GROUP}] if is_set else []
        yield {
            "name": name,
            "value": configs.get(name, str(default)),
            "config_source": SET_ON_GROUP if is_set else DEFAULT,
            "is_default": not is_set,
            "config_type": ConfigType.INT,
            "synonyms": [*present, {"name": f"group.{name}", "value": str(default), "source": DEFAULT}],
        }


def problem(configs: Mapping[str, str | None], config: BrokerConfig) -> str | None:
    """What is wrong with these configurations of a group, None when all are valid."""
    allowed = bounds(config)
    for name, text in configs.items():
        if name not in allowed:
            return f"Unknown group config name: {name}"
        if text is None or not text.removeprefix("-").isdecimal():
            return f"Invalid value {text} for configuration {name}: Not a number of type INT"
        if int(text) < allowed[name].low:
            return f"{name} must be greater than or equal to group.{_with_bound(name, 'min')}"
        if int(text) > allowed[name].high:
            return f"{name} must be less than or equal to group.{_with_bound(name, 'max')}"
    valid = {name: text for name, text in configs.items() if text is not None}
    if value(SESSION_TIMEOUT_MS, valid, config) <= value(HEARTBEAT_INTERVAL_MS, valid, config):
        return f"{SESSION_TIMEOUT_MS} must be greater than {HEARTBEAT_INTERVAL_MS}"
    return None


def _with_bound(name: str, bound: str) -> str:
    protocol, _, rest = name.partition(".")
    return f"{protocol}.{bound}.{rest}"
