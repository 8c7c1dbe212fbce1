"""Logs of a process: structured events as readable lines on standard error."""

import logging
import sys

import structlog


def configure_logs(level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's loggers to standard error, one line an event."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionPrettyPrinter(sys.stderr),
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("librdkafka").addFilter(_calm)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _calm(record: logging.LogRecord) -> bool:
    # The client library tells of each refused connection as an error and then mends it by itself.
    if record.levelno < logging.CRITICAL:
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
