"""The consumer of a worker, as a member of its application's group."""

from collections.abc import Callable

from confluent_kafka import Consumer

from tailrace.client import consumer
from tailrace.client.fetching import STATISTICS_INTERVAL_MS
from tailrace.streams.config import StreamsConfig


def new_member(
    application: str, config: StreamsConfig, statistics: Callable[[str], None], *, tells_ends: bool
) -> Consumer:
    """Make a consumer that is not subscribed yet. `tells_ends`: whether it gives an event where a partition ends."""
    membership: dict[str, object] = {
        "group_instance_id": f"{application}-{config.instance}",
        "partition_assignment_strategy": "range",
        "session_timeout_ms": config.session_timeout_ms,
    }
    if config.group_protocol == "consumer":
        # Of no fixed identity: a place that a killed member has would not be free until its session ends.
        membership = {"group_protocol": "consumer", "group_remote_assignor": "range"}
    return consumer(
        config.bootstrap_servers,
        application,
        enable_partition_eof=tells_ends,
        stats_cb=statistics,
        statistics_interval_ms=STATISTICS_INTERVAL_MS,
        **membership,
    )
