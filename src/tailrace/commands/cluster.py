"""The cluster that a command talks to, and the options that say which one and how."""

from collections.abc import Callable, Mapping
from logging import Logger, getLogger
from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.commands.failure import CommandFailed, reason

ANSWER_WITHIN_S = 10.0

Servers = Annotated[
    str, typer.Option("--bootstrap-servers", "-b", metavar="HOST:PORT,...", help="Where the Kafka brokers are.")
]
CommandConfig = Annotated[
    Path | None,
    typer.Option(
        "--command-config",
        metavar="FILE",
        help="Properties of the client by librdkafka's names, such as security.protocol and sasl.username.",
    ),
]
LOCAL = "127.0.0.1:9092"


class Cluster:
    """Makes clients for one cluster. Raises CommandFailed when it does not answer."""

    def __init__(self, bootstrap_servers: str, command_config: Path | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._properties = _read(command_config) if command_config else {}
        self._last_error = ""

    def admin(self) -> Any:
        """An admin client whose cluster has answered."""
        from confluent_kafka.admin import AdminClient

        client = self._make(AdminClient, self._settings("COMMON"))
        self.metadata(client)
        return client

    def producer(self, **config: object) -> Any:
        """A producer."""
        from confluent_kafka import Producer

        return self._make(Producer, self._settings("PRODUCER") | config)

    def consumer(self, **config: object) -> Any:
        """A consumer."""
        from confluent_kafka import Consumer

        return self._make(Consumer, self._settings("CONSUMER") | {"group.id": "tailrace"} | config)

    def metadata(self, client: Any) -> Any:
        """What the cluster says about itself and its topics."""
        from confluent_kafka import KafkaException

        try:
            return client.list_topics(timeout=ANSWER_WITHIN_S)
        except KafkaException as error:
            why = self._last_error or reason(error)
            raise CommandFailed(
                f"no Kafka broker answered at {self.bootstrap_servers} within {ANSWER_WITHIN_S:g} s ({why}); "
                "is it running, and are --bootstrap-servers and --command-config right?"
            ) from None

    def partitions(self, client: Any, topic: str) -> list[int]:
        """The partitions of a topic. Raises CommandFailed when there is no such topic."""
        # All topics are asked for: to ask for one by its name may create it.
        found = self.metadata(client).topics.get(topic)
        if found is None:
            raise CommandFailed(f"the cluster at {self.bootstrap_servers} has no topic {topic}")
        return sorted(found.partitions)

    def _settings(self, kind: str) -> dict[str, object]:
        from tailrace.client import config

        defaults: dict[str, object] = getattr(config, kind)
        quiet = {"error_cb": self._remember, "logger": _silent_logger()}
        return config.merged(defaults, self.bootstrap_servers, quiet | dict(self._properties))

    def _make(self, client: Any, settings: dict[str, object]) -> Any:
        from confluent_kafka import KafkaException

        try:
            return client(settings)
        except (KafkaException, ValueError) as error:
            raise CommandFailed(f"the client's settings are not valid: {reason(error)}") from None

    def _remember(self, error: Any) -> None:
        self._last_error = error.str()


def _silent_logger() -> Logger:
    """The client repeats itself while it tries again; what fails in the end is told once, by the command."""
    logger = getLogger("tailrace.commands.client")
    logger.disabled = True
    return logger


def _read(file: Path) -> Mapping[str, str]:
    import javaproperties

    try:
        properties: Mapping[str, str] = javaproperties.loads(file.read_text())
    except (OSError, UnicodeDecodeError, javaproperties.InvalidUEscapeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}") from None
    return properties


def answers(futures: Mapping[Any, Any], what: str, done: Callable[[Any], object] = lambda _: None) -> dict[Any, Any]:
    """The results of an admin call by what was asked for, each told to `done`.

    Raises CommandFailed that names all that failed.
    """
    results, failures = {}, []
    for asked, future in futures.items():
        try:
            results[asked] = future.result(2 * ANSWER_WITHIN_S)
            done(asked)
        except Exception as error:
            failures.append(f"{what} {getattr(asked, 'name', asked)}: {reason(error)}")
    if failures:
        raise CommandFailed("; ".join(failures))
    return results
