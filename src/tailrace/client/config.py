"""Settings that every client shares: safe where librdkafka's defaults are not, quick where they are slow.

Names and meanings are librdkafka's own. Callers may override any of them.
"""

import logging
from typing import Any

Config = dict[str, Any]

COMMON: Config = {
    "client.id": "tailrace",
    # A restarted broker is back within a second; waiting up to 10 s for the next attempt would triple the outage.
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "retry.backoff.ms": 5,
    "retry.backoff.max.ms": 500,
    "socket.nagle.disable": True,
    # By default librdkafka forgets all brokers when none answers, and begins anew from the bootstrap servers; a call
    # that waits for its transaction coordinator meanwhile never returns (seen with 2.16, on the first or second kill).
    "metadata.recovery.strategy": "none",
    "log.connection.close": False,
}

PRODUCER: Config = COMMON | {
    "enable.idempotence": True,
    "acks": "all",
    # Java's hash, so that a key lands in the same partition whoever writes it.
    "partitioner": "murmur2_random",
    "linger.ms": 2,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 200_000,
}

CONSUMER: Config = COMMON | {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 1_000,
    "fetch.wait.max.ms": 500,
    "fetch.error.backoff.ms": 50,
    "queued.max.messages.kbytes": 16_384,
    # By default a client whose queue is full fetches again after a second, and stands still when it is quick.
    "fetch.queue.backoff.ms": 5,
}


# What the cluster decides for members of groups of KIP-848, who may not ask for anything else.
DECIDED_BY_CLUSTER = ("session.timeout.ms", "heartbeat.interval.ms")


def merged(defaults: Config, bootstrap_servers: str, overrides: Config) -> Config:
    """One configuration of defaults and overrides; a logger takes librdkafka's own lines unless one is given."""
    config = defaults | {"bootstrap.servers": bootstrap_servers} | overrides
    if config.get("group.protocol") == "consumer":
        config = {name: value for name, value in config.items() if name not in DECIDED_BY_CLUSTER}
    config.setdefault("logger", logging.getLogger("librdkafka"))
    return config
