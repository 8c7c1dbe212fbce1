"""Logs of a process: structured events on standard error, one line each, for people or for machines."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import Processor


class LogFormat(StrEnum):
    """How a line looks."""

    CONSOLE = "console"
    """Readable: time, level, event, fields."""

    JSON = "json"
    """One JSON object with `timestamp`, `level`, `event` and the fields."""


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level as the standard library has it."""
        return logging.getLevelNamesMapping()[self.name]


def configure_logs(level: LogLevel = LogLevel.INFO, form: LogFormat = LogFormat.CONSOLE) -> None:
    """Send structlog's and the standard library's loggers to standard error, one line an event."""
    import structlog

    last = _json() if form is LogFormat.JSON else _console()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_described(), *last],
        wrapper_class=structlog.make_filtering_bound_logger(level.number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _configure_standard(level, form)


def _described() -> list[Processor]:
    import structlog

    return [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _console() -> list[Processor]:
    import structlog

    return [
        structlog.processors.ExceptionPrettyPrinter(sys.stderr),
        structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
    ]


def _json() -> list[Processor]:
    import structlog

    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _configure_standard(level: LogLevel, form: LogFormat) -> None:
    """The loggers of libraries."""
    import structlog

    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level.number)  # once more than the loggers: _calm comes between
    if form is LogFormat.JSON:
        described: list[Processor] = [*_described(), structlog.stdlib.add_logger_name]
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=described,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_json()],
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] %(name)s: %(message)s"))
    logging.basicConfig(level=level.number, handlers=[handler])
    logging.getLogger("librdkafka").addFilter(_calm)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _calm(record: logging.LogRecord) -> bool:
    # The client library tells of each refused connection as an error and then mends it by itself.
    if record.levelno < logging.CRITICAL:
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
