"""Topic configurations by Kafka's names: defaults, and which values are valid.

All that clients commonly set is accepted and kept, also where one broker without replicas has no use for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

INT_MAX = 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


class ConfigType:
    """Numbers of the protocol for a configuration's type."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    LONG = 5
    DOUBLE = 6
    LIST = 7


class Definition(NamedTuple):
    """One configuration: its default, its type on the wire, and whether a value is valid."""

    default: str
    config_type: int
    is_valid: Callable[[str], bool]


def _integer(low: int, high: int) -> Callable[[str], bool]:
    def is_valid(value: str) -> bool:
        return re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value) is not None and low <= int(value) <= high

    return is_valid


def _one_of(*allowed: str) -> Callable[[str], bool]:
    return lambda value: value in allowed


def _list_of(*allowed: str) -> Callable[[str], bool]:
    return lambda value: all(item.strip() in allowed for item in value.split(",") if item)


def _ratio(value: str) -> bool:
    try:
        return 0 <= float(value) <= 1
    except ValueError:
        return False


def _replicas(value: str) -> bool:
    """Partitions with their brokers, "0:1,1:1", or all of them."""
    return value == "*" or re.fullmatch(r"(\d+:\d+(,\d+:\d+)*)?", value.strip()) is not None


def _boolean(default: str) -> Definition:
    return Definition(default, ConfigType.BOOLEAN, lambda value: value.strip().lower() in ("true", "false"))


def _long(default: int, low: int = 0) -> Definition:
    return Definition(str(default), ConfigType.LONG, _integer(low, LONG_MAX))


def _int(default: int, low: int = 0) -> Definition:
    return Definition(str(default), ConfigType.INT, _integer(low, INT_MAX))


def _text(default: str, is_valid: Callable[[str], bool] = lambda _: True) -> Definition:
    return Definition(default, ConfigType.STRING, is_valid)


DEFINITIONS: Mapping[str, Definition] = {
    "cleanup.policy": Definition("delete", ConfigType.LIST, _list_of("delete", "compact")),
    "compression.type": _text("producer", _one_of("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")),
    "compression.gzip.level": Definition("-1", ConfigType.INT, lambda value: value != "0" and _integer(-1, 9)(value)),
    "compression.lz4.level": Definition("9", ConfigType.INT, _integer(1, 17)),
    "compression.zstd.level": Definition("3", ConfigType.INT, _integer(-131072, 22)),
    "delete.retention.ms": _long(86_400_000),
    "file.delete.delay.ms": _long(60_000),
    "flush.messages": _long(LONG_MAX, 1),
    "flush.ms": _long(LONG_MAX),
    "follower.replication.throttled.replicas": Definition("", ConfigType.LIST, _replicas),
    "index.interval.bytes": _int(4096),
    "leader.replication.throttled.replicas": Definition("", ConfigType.LIST, _replicas),
    "local.retention.bytes": _long(-2, -2),
    "local.retention.ms": _long(-2, -2),
    "max.compaction.lag.ms": _long(LONG_MAX, 1),
    "max.message.bytes": _int(1_048_588),
    "message.timestamp.after.max.ms": _long(3_600_000),
    "message.timestamp.before.max.ms": _long(LONG_MAX),
    "message.timestamp.type": _text("CreateTime", _one_of("CreateTime", "LogAppendTime")),
    "min.cleanable.dirty.ratio": Definition("0.5", ConfigType.DOUBLE, _ratio),
    "min.compaction.lag.ms": _long(0),
    "min.insync.replicas": _int(1, 1),
    "preallocate": _boolean("false"),
    "remote.log.copy.disable": _boolean("false"),
    "remote.log.delete.on.disable": _boolean("false"),
    "remote.storage.enable": Definition("false", ConfigType.BOOLEAN, lambda value: value.strip().lower() == "false"),
    "retention.bytes": _long(-1, LONG_MIN),
    "retention.ms": _long(604_800_000, -1),
    "segment.bytes": _int(1_073_741_824, 14),
    "segment.index.bytes": _int(10_485_760, 4),
    "segment.jitter.ms": _long(0),
    "segment.ms": _long(604_800_000, 1),
    "unclean.leader.election.enable": _boolean("false"),
}


DEFAULTS: Mapping[str, str] = MappingProxyType({name: definition.default for name, definition in DEFINITIONS.items()})


def problem(configs: Mapping[str, str | None], defaults: Mapping[str, str] = DEFAULTS) -> str | None:
    """What is wrong with these configurations, None when all are valid; `defaults` hold for what they do not name."""
    for name, value in configs.items():
        definition = DEFINITIONS.get(name)
        if definition is None:
            return f"Unknown topic config name: {name}"
        if value is None or not definition.is_valid(value):
            return f"Invalid value {value} for configuration {name}"
    return _lag_problem({**defaults, **configs})


def _lag_problem(configs: Mapping[str, str | None]) -> str | None:
    low, high = configs["min.compaction.lag.ms"], configs["max.compaction.lag.ms"]
    if int(low or 0) <= int(high or 0):
        return None
    return f"min.compaction.lag.ms={low} is greater than max.compaction.lag.ms={high}"
