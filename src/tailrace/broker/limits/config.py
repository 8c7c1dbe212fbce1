"""Limits, named as in Kafka's server.properties with dots as underscores; those without a namesake there are marked."""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.broker.topic_configs import INT_MAX


@dataclass(frozen=True)
class LimitsConfig:
    """Sizes in bytes, times in milliseconds.

    `queued_max_request_bytes` bounds what all requests that are being received or made durable take together.
    Kafka has no names for these: `connection_authentication_timeout_ms`, also of the TLS handshake;
    `socket_receive_timeout_ms` from the first byte of a request to its last; `socket_send_timeout_ms` for which a
    client may read nothing of what waits for it, and `socket_send_max_bytes` of what may wait.
    """

    socket_request_max_bytes: int = 100 << 20
    sasl_server_max_receive_size: int = 512 << 10
    queued_max_request_bytes: int = 512 << 20
    fetch_max_bytes: int = 55 << 20
    max_connections: int = INT_MAX
    max_connections_per_ip: int = INT_MAX
    connections_max_idle_ms: int = 600_000
    connection_authentication_timeout_ms: int = 10_000
    socket_receive_timeout_ms: int = 30_000
    socket_send_timeout_ms: int = 30_000
    socket_send_max_bytes: int = 256 << 20
