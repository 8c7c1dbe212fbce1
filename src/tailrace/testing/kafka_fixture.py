"""What the fixture `kafka` gives to a test: names that nobody used, topics, clients, and crashes."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tailrace.testing.broker import BrokerProcess

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer

    from tailrace.client import Record

# What is thrown away need not survive a power failure; everything else is as on Kafka.
FOR_TESTS = {"flush": "kafka", "auto.create.topics.enable": "true"}
# Nobody in a test wants to wait for somebody who is gone.
IMPATIENT: dict[str, Any] = {"fetch_wait_max_ms": 50, "session_timeout_ms": 6_000, "heartbeat_interval_ms": 200}

_run = secrets.token_hex(3)
_numbers = itertools.count(1)


def start_broker(settings: Mapping[str, str]) -> BrokerProcess:
    """A broker for tests, to be used with `with`."""
    return BrokerProcess(options=[f"--override={name}={value}" for name, value in {**FOR_TESTS, **settings}.items()])


class Kafka:
    """A broker for one test; at the end its clients are closed, and the broker runs again if it was killed."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self._at_end = ExitStack()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; the same after a restart."""
        return self.broker.bootstrap_servers

    def unique(self, name: str) -> str:
        """A name that nobody used before, for topics, groups and transactional ids."""
        return f"{name}-{_run}-{next(_numbers)}"

    def topic(self, name: str = "topic", *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic and give its name, which is unique and begins with `name`.

        `config`: by Kafka's names, such as `{"cleanup.policy": "compact"}`.
        """
        from tailrace.client import Topic, ensure_topics

        topic = Topic(self.unique(name), partitions, config or {})
        ensure_topics(self.bootstrap_servers, [topic])
        return topic.name

    def producer(self, **config: object) -> Producer:
        """Make a producer; `config` is librdkafka's with underscores for dots, such as `linger_ms=0`.

        It is not idempotent unless `enable_idempotence=True` is given: librdkafka then takes half a second to begin.
        """
        from tailrace.client import producer

        is_transactional = "transactional_id" in config
        made = producer(self.bootstrap_servers, **{"linger_ms": 0, "enable_idempotence": is_transactional, **config})
        self._at_end.callback(made.flush, 5)
        return made

    def consumer(self, *topics: str, group_id: str | None = None, **config: object) -> Consumer:
        """Make a consumer of committed records from the earliest on, subscribed to `topics`, if any.

        It is alone in its group unless `group_id` is given, and commits only when told to.
        """
        from tailrace.client import consumer

        made = consumer(self.bootstrap_servers, group_id or self.unique("group"), **{**IMPATIENT, **config})
        self._at_end.callback(made.close)
        if topics:
            made.subscribe(list(topics))
        return made

    def records(self, *topics: str) -> list[Record]:
        """All committed records that the topics hold now, in order within a partition."""
        from tailrace.client import read_to_end

        return list(read_to_end(self.bootstrap_servers, topics))

    def kill(self) -> None:
        """End the broker as a crash would; `start` brings it back with all that it acknowledged."""
        self.broker.kill()

    def start(self) -> None:
        """Start the broker again after `kill`, at the same address."""
        self.broker.start()

    def restart(self) -> None:
        """Stop the broker in its orderly way and start it again, at the same address."""
        self.broker.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.broker.is_running:
            self.broker.start()
        self._at_end.close()
