"""Warnings about what may happen a thousand times a minute."""

import time

import structlog

log = structlog.get_logger("agio.rates")


class Complaints:
    """Warns of one kind of trouble: the first time at once, then at most every `interval_s`, with the number since."""

    def __init__(self, event: str, *, interval_s: float = 10.0, **context: object) -> None:
        self._event = event
        self._interval_s = interval_s
        self._context = context
        self._quiet_until = 0.0
        self._count = 0

    def add(self, problem: str) -> None:
        """Count a problem, and warn when it is time."""
        self._count += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            log.warning(self._event, problem=problem, count=self._count, **self._context)
            self._quiet_until, self._count = now + self._interval_s, 0
