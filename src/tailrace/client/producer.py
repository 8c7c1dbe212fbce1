"""The idempotent producer."""

from confluent_kafka import Producer

from tailrace.client.config import PRODUCER, merged


def producer(bootstrap_servers: str, **config: object) -> Producer:
    """Make an idempotent producer; every record it acknowledges was written once, in order.

    `config`: librdkafka settings with underscores for dots, such as `linger_ms=0`.
    """
    return Producer(merged(PRODUCER, bootstrap_servers, dotted(config)))


def dotted(config: dict[str, object]) -> dict[str, object]:
    """Turn keyword names into the client's: `linger_ms` is `linger.ms`, `error_cb` stays."""
    return {name if name.endswith("_cb") else name.replace("_", "."): value for name, value in config.items()}
