"""Settings of a broker, named as in Kafka's server.properties with dots as underscores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tailrace.broker.limits.config import LimitsConfig
from tailrace.broker.security.config import SecurityConfig
from tailrace.broker.topic_configs import INT_MAX
from tailrace.logs import LogFormat, LogLevel


class Flush(StrEnum):
    """When a write counts as done."""

    FSYNC = "fsync"
    """After fsync: what is acknowledged survives a power failure."""

    KAFKA = "kafka"
    """Like Kafka's default: when the operating system has it, so that it survives a crash of the broker only."""


@dataclass(frozen=True)
class BrokerConfig(SecurityConfig, LimitsConfig):
    """How a broker runs; the defaults suit one developer's machine.

    `topic_defaults` are valid topic configurations by their names (`retention.ms`), for topics that leave them open.
    """

    data: Path = Path("data/broker")
    host: str = "127.0.0.1"
    port: int = 9092
    advertised_host: str | None = None
    address_file: Path | None = None
    metrics_port: int | None = None
    log_format: LogFormat = LogFormat.CONSOLE
    log_level: LogLevel = LogLevel.INFO
    flush: Flush = Flush.FSYNC
    node_id: int = 1
    num_partitions: int = 1
    auto_create_topics_enable: bool = False
    group_initial_rebalance_delay_ms: int = 0
    group_min_session_timeout_ms: int = 100
    group_max_session_timeout_ms: int = 1_800_000
    group_max_size: int = INT_MAX
    group_consumer_session_timeout_ms: int = 45_000
    group_consumer_min_session_timeout_ms: int = 100
    group_consumer_max_session_timeout_ms: int = 60_000
    group_consumer_heartbeat_interval_ms: int = 5000
    group_consumer_min_heartbeat_interval_ms: int = 10
    group_consumer_max_heartbeat_interval_ms: int = 15_000
    group_consumer_max_size: int = INT_MAX
    offset_metadata_max_bytes: int = 4096
    transaction_max_timeout_ms: int = 900_000
    transaction_abort_timed_out_interval_ms: int = 200
    transactional_id_expiration_ms: int = 604_800_000
    producer_id_expiration_ms: int = 86_400_000
    producer_id_expiration_check_interval_ms: int = 600_000
    log_retention_check_interval_ms: int = 300_000
    log_cleaner_backoff_ms: int = 15_000
    topic_defaults: Mapping[str, str] = field(default_factory=dict)
