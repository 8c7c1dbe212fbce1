"""Topics: what is wanted, made where it is missing."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tailrace.client.config import COMMON, merged
from tailrace.client.errors import BrokerUnreachable
from tailrace.client.passing import is_unreachable


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be; `config` in Kafka's own names, such as `cleanup.policy`."""

    name: str
    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)


def admin(bootstrap_servers: str, **config: object) -> AdminClient:
    """Make an admin client."""
    return AdminClient(merged(COMMON, bootstrap_servers, dict(config)))


def wait_for_broker(bootstrap_servers: str, timeout_s: float = 30.0) -> None:
    """Return once a broker answers. Raises BrokerUnreachable."""
    client = admin(bootstrap_servers)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            client.list_topics(timeout=max(0.1, min(1.0, timeout_s)))
            return
        except KafkaException as exception:
            if time.monotonic() >= deadline:
                raise BrokerUnreachable(bootstrap_servers, timeout_s) from exception


def wait_for_topics(bootstrap_servers: str, topics: Iterable[str], timeout_s: float = 30.0) -> dict[str, int]:
    """Return the partition count of each topic once all exist.

    Raises BrokerUnreachable when no broker answers, LookupError when topics are still missing after `timeout_s`.
    """
    wait_for_broker(bootstrap_servers, timeout_s)
    client = admin(bootstrap_servers)
    wanted = list(topics)
    deadline = time.monotonic() + timeout_s
    while True:
        known = client.list_topics(timeout=timeout_s).topics
        missing = [name for name in wanted if name not in known or not known[name].partitions]
        if not missing:
            return {name: len(known[name].partitions) for name in wanted}
        if time.monotonic() >= deadline:
            raise LookupError(f"the cluster at {bootstrap_servers} has no topic {', '.join(sorted(missing))}")
        time.sleep(0.05)


def ensure_topics(bootstrap_servers: str, topics: Sequence[Topic], timeout_s: float = 30.0) -> None:
    """Create the topics that are missing; those that exist stay as they are.

    Raises BrokerUnreachable when no broker answers, KafkaException when one is refused, and ValueError when a topic
    exists with another number of partitions, since keys would no longer meet.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            _ensure_topics(bootstrap_servers, topics, timeout_s)
            return
        except KafkaException as exception:
            # It went away after it had answered; a topic that it has made by then exists when it is back.
            if not is_unreachable(exception):
                raise
            if time.monotonic() >= deadline:
                raise BrokerUnreachable(bootstrap_servers, timeout_s) from exception


def _ensure_topics(bootstrap_servers: str, topics: Sequence[Topic], timeout_s: float) -> None:
    wait_for_broker(bootstrap_servers, timeout_s)
    client = admin(bootstrap_servers)
    known = client.list_topics(timeout=timeout_s).topics
    for topic in topics:
        found = known.get(topic.name)
        if found is not None and len(found.partitions) != topic.partitions:
            raise ValueError(f"topic {topic.name} has {len(found.partitions)} partitions, expected {topic.partitions}")
    missing = [
        NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=-1, config=dict(topic.config))
        for topic in topics
        if topic.name not in known
    ]
    if not missing:
        return
    for future in client.create_topics(missing, operation_timeout=timeout_s).values():
        try:
            future.result()
        except KafkaException as exception:
            if exception.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
