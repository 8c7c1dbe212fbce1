"""The consumer of a worker, as a member of its application's group."""

import logging
from collections.abc import Callable

from confluent_kafka import Consumer

from tailrace.client import ConsumerFenced, consumer, membership_ended
from tailrace.client.fetching import STATISTICS_INTERVAL_MS
from tailrace.streams.config import StreamsConfig


def new_member(
    application: str, config: StreamsConfig, statistics: Callable[[str], None], *, tells_ends: bool
) -> Consumer:
    """Make a consumer that is not subscribed yet. `tells_ends`: whether it gives an event where a partition ends.

    The group protocol has to be one of the two, not "auto".
    """
    # Of all assignors it is range that gives partitions of the same number to the same member.
    membership: dict[str, object] = {"group_protocol": "consumer", "group_remote_assignor": "range"}
    if config.group_protocol == "classic":
        membership = {"partition_assignment_strategy": "range", "session_timeout_ms": config.session_timeout_ms}
    return consumer(
        config.bootstrap_servers,
        application,
        group_instance_id=instance_id(application, config),
        enable_partition_eof=tells_ends,
        stats_cb=statistics,
        statistics_interval_ms=STATISTICS_INTERVAL_MS,
        logger=_logger(),
        **membership,
    )


def instance_id(application: str, config: StreamsConfig) -> str:
    """The name under which the group knows an instance, from one process to the next."""
    return f"{application}-{config.instance}"


def _logger() -> logging.Logger:
    """A logger of librdkafka without those fatal errors after which there is another attempt."""
    logger = logging.getLogger("librdkafka.member")
    logger.addFilter(_is_news)
    return logger


def _is_news(record: logging.LogRecord) -> bool:
    return isinstance(membership_ended(record.getMessage()), ConsumerFenced)
