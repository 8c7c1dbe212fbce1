"""Runs a sink task: from topics, through converters and transforms, into the task.

Offsets are committed after the task has written durably: every record arrives at least once, and once in effect when
writing it again changes nothing. While the task's system is away, the task keeps its place in the group.
"""

import re
from collections.abc import Sequence
from threading import Event
from typing import Any, TypeAlias

import structlog

from tailrace.client import Record as Received
from tailrace.connect.connector import ConnectorConfig, SinkTask
from tailrace.connect.converters import make_converter
from tailrace.connect.dead_letters import DeadLetters
from tailrace.connect.errors import ConnectError, DataError
from tailrace.connect.framework import overrides
from tailrace.connect.intake import Intake
from tailrace.connect.outage import GivenUp, Outage
from tailrace.connect.record import Record
from tailrace.connect.transforms.chain import make_chain

Failure: TypeAlias = tuple[Received, str, Exception]
"""A message that cannot be used, the stage at which that turned out, and why."""

log = structlog.get_logger(__name__)


class SinkRunner:
    """One task of a sink connector, in one thread."""

    def __init__(
        self, config: ConnectorConfig, task_id: int, task: SinkTask, bootstrap_servers: str, registry: Any
    ) -> None:
        self._settings = config.settings
        self._task = task
        self._task_name = f"{config.name}-{task_id}"
        self._key_converter = make_converter("key", config.options, registry)
        self._value_converter = make_converter("value", config.options, registry)
        self._transforms = make_chain(config.options)
        self._outage = Outage(self._task_name, self._settings["retry.backoff.ms"], self._settings["max.retries"])
        self._dead_letters: DeadLetters | None = None
        if topic := self._settings["errors.deadletterqueue.topic.name"]:
            self._dead_letters = DeadLetters(bootstrap_servers, topic, config.name, task_id)
        # A static member (KIP-345): a task that was killed gets its partitions back at once when it is started again,
        # instead of after the session timeout, and what may be left of it is fenced.
        place = {"group.instance.id": f"connect-{self._task_name}"}
        self._intake = Intake(bootstrap_servers, f"connect-{config.name}", place | overrides(config, "consumer"))

    @property
    def trace(self) -> str | None:
        """What the task waits for, None while it works."""
        return self._outage.trace

    def run(self, stop: Event) -> None:
        """Move records until told to stop. Raises what cannot be waited out."""
        try:
            self._outage.patiently(self._task.start, lambda seconds: not stop.wait(seconds))
            self._intake.subscribe(self._topics())
            while not stop.is_set():
                if messages := self._intake.fetch(self._settings["batch.size"]):
                    self._deliver(messages, stop)
        except GivenUp:
            log.info("stopped while waiting", task=self._task_name)
        finally:
            self._intake.close()
            self._task.stop()

    def _topics(self) -> list[str]:
        regex: re.Pattern[str] | None = self._settings["topics.regex"]
        if regex is not None:
            return ["^" + regex.pattern.removeprefix("^")]
        topics: list[str] = self._settings["topics"]
        return topics

    def _deliver(self, messages: Sequence[Received], stop: Event) -> None:
        def pause(seconds: float) -> bool:
            return self._intake.wait(seconds, stop)

        try:
            records, failures = self._outage.patiently(lambda: self._convert(messages), pause)
            refusals = self._outage.patiently(lambda: self._task.put(records), pause) if records else []
        except GivenUp:
            self._intake.take_back(messages)
            return
        failures += [(refusal.record.origin, "TASK_PUT", refusal.error) for refusal in refusals]
        if failures:
            self._pass_over(failures)
        self._intake.commit(messages)

    def _convert(self, messages: Sequence[Received]) -> tuple[list[Record], list[Failure]]:
        records: list[Record] = []
        failures: list[Failure] = []
        for message in messages:
            topic = message.topic()
            stage = "KEY_CONVERTER"
            try:
                key, _ = self._key_converter.decode(topic, message.key())
                stage = "VALUE_CONVERTER"
                value, schema = self._value_converter.decode(topic, message.value())
                stage = "TRANSFORMATION"
                _, timestamp_ms = message.timestamp()
                record = self._transforms(
                    Record(topic, key, value, schema, timestamp_ms, message.partition(), message.offset(), message)
                )
            except DataError as error:
                failures.append((message, stage, error))
            else:
                if record is not None:
                    records.append(record)
        return records, failures

    def _pass_over(self, failures: Sequence[Failure]) -> None:
        """Put the messages aside durably, or stop at the first, as errors.tolerance says."""
        for message, stage, error in failures:
            where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            if self._settings["errors.tolerance"] == "none":
                raise ConnectError(
                    f"{where} cannot be used ({stage}): {error}; mend the cause, or set errors.tolerance=all"
                ) from error
            if self._settings["errors.log.enable"] or self._dead_letters is None:
                log.warning("record passed over", task=self._task_name, record=where, stage=stage, error=str(error))
            if self._dead_letters is not None:
                self._dead_letters.send(message, stage, error)
        if self._dead_letters is not None:
            self._dead_letters.flush()
