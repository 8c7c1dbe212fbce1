"""Failures of a task: what becomes of records and of outputs with which something is wrong."""

from collections.abc import Callable
from typing import NoReturn

import structlog

from tailrace.client import dead_letter_headers
from tailrace.registry.errors import SerdeError
from tailrace.streams.errors import ProcessingFailed, Unwritable
from tailrace.streams.handling import ErrorHandler, OnError, answer
from tailrace.streams.metrics.counters import TaskCounters
from tailrace.streams.output import Output
from tailrace.streams.record import Record
from tailrace.streams.subtopology import SubTopology

log = structlog.get_logger("tailrace.streams")


class Failures:
    """Asks the handlers of a task's sub-topology, and does what they say.

    `emit`: takes dead letters. `indispensable`: topics that state is rebuilt from, of which no output is left out.
    """

    def __init__(
        self,
        topology: SubTopology,
        counters: TaskCounters,
        emit: Callable[[Output], None],
        indispensable: frozenset[str],
    ) -> None:
        self._topology = topology
        self._counters = counters
        self._emit = emit
        self._indispensable = indispensable | {topology.handling.dead_letters}

    def unreadable(self, record: Record, error: SerdeError) -> None:
        """Do with a record that cannot be read what the handler says."""
        self._count(error)
        self._handle(self._topology.handling.unreadable, "VALUE_CONVERTER", record, error)

    def without_key(self, record: Record) -> None:
        """Do with a record that has no key, where one is needed, what the handler says."""
        self.unreadable(record, SerdeError("the record has no key"))

    def undone(self, record: Record, error: Exception) -> None:
        """Do with a record that a step failed on, and of which nothing remains, what the handler says."""
        if isinstance(error, ProcessingFailed):
            raise error
        self._count(error)
        self._handle(self._topology.handling.failed, "TRANSFORMATION", record, error)

    def failed(self, record: Record, error: Exception) -> NoReturn:
        """Stop at a record."""
        if isinstance(error, ProcessingFailed):
            raise error
        if (topic := self._topology.program.topic_of(error)) is not None:
            raise self.stopped(record, Unwritable(topic, None, repr(error))) from error
        raise ProcessingFailed(f"{place(record)} cannot be processed: {error!r}") from error

    def unwritable(self, record: Record | None, topic: str, error: Exception) -> None:
        """Leave out an output that no serde can write, and do with its record what the handler says."""
        unwritable = Unwritable(topic, None, repr(error))
        unwritable.__cause__ = error
        self._count(error)
        self._leave_out(record, unwritable)

    def refused(self, record: Record | None, output: Output, error: Unwritable) -> None:
        """Leave out an output that the cluster does not take, and do with its record what the handler says.

        `record`: the one that was processed; None where the clock or the commit made the output.
        """
        if output[0] in self._indispensable:
            raise self.stopped(record, error) from error
        self._leave_out(record, error)

    def stopped(self, record: Record | None, error: Exception) -> ProcessingFailed:
        """Make what is raised to stop at a record."""
        return ProcessingFailed(f"{place(record)} stops {self._topology.application}: {error}")

    def _leave_out(self, record: Record | None, error: Unwritable) -> None:
        handler = self._topology.handling.unwritable
        if record is not None:
            self._handle(handler, "KAFKA_PRODUCE", record, error)
        elif handler is OnError.SKIP:
            self._skip(None, error)
        else:
            raise self.stopped(None, error) from error

    def _handle(self, handler: ErrorHandler, stage: str, record: Record, error: Exception) -> None:
        match answer(handler, record, error):
            case OnError.FAIL:
                raise self.stopped(record, error) from error
            case OnError.SKIP:
                self._skip(record, error)
            case OnError.DEAD_LETTER:
                self._counters.counts.dead_letters += 1
                headers = dead_letter_headers(record, self._topology.application, stage, error)
                topic = self._topology.handling.dead_letters
                self._emit((topic, -1, record.key(), record.value(), headers, record.timestamp()[1]))

    def _skip(self, record: Record | None, error: Exception) -> None:
        self._counters.counts.skipped += 1
        log.warning(
            "output skipped" if isinstance(error, Unwritable) else "record skipped",
            application=self._topology.application,
            record=place(record),
            reason=str(error),
        )

    def _count(self, error: Exception) -> None:
        operators = self._counters.operators
        if operators is not None and (number := self._topology.program.step_of(error)) is not None:
            operators.errors[number] += 1


def place(record: Record | None) -> str:
    """Say which record it is."""
    if record is None:
        return "what no record made"
    return f"record {record.offset()} of {record.topic()}-{record.partition()}"
