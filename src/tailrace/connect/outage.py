"""A system that is away for a while: one line when it goes, one when it is back, and growing pauses between."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from tailrace.connect.errors import ConnectError, RetriableError, SystemUnreachable

T = TypeVar("T")

log = structlog.get_logger(__name__)

FIRST_PAUSE_MS = 100


class GivenUp(Exception):
    """Waiting has lost its point: the task stops, or its work went elsewhere."""


class Outage:
    """What a task goes through while its system cannot take part.

    An unreachable system is waited for without end. One that is there but cannot do its work now (a lock, a deadlock)
    gets `max_retries` more tries, then the task fails.
    """

    def __init__(self, task: str, pause_ms_max: int, max_retries: int) -> None:
        self._task = task
        self._pause_ms_max = pause_ms_max
        self._max_retries = max_retries
        self._since: float | None = None
        self._attempts = 0
        self._retries = 0
        self.trace: str | None = None

    def patiently(self, operation: Callable[[], T], pause: Callable[[float], bool]) -> T:
        """Do the operation, again after each RetriableError.

        `pause` waits so many seconds and says whether to try again. Raises GivenUp when it says no, ConnectError
        after too many retries.
        """
        while True:
            try:
                result = operation()
            except RetriableError as error:
                if not pause(self._pause_s(error)):
                    raise GivenUp(str(error)) from error
            else:
                self._over()
                return result

    def _pause_s(self, error: RetriableError) -> float:
        if not isinstance(error, SystemUnreachable):
            self._retries += 1
            if self._retries > self._max_retries:
                raise ConnectError(f"gave up after max.retries={self._max_retries}: {error}") from error
        if self._since is None:
            self._since = time.monotonic()
            log.warning("waiting", task=self._task, reason=str(error))
        self.trace = str(error)
        pause_ms = min(FIRST_PAUSE_MS << min(self._attempts, 16), self._pause_ms_max)
        self._attempts += 1
        return pause_ms / 1000

    def _over(self) -> None:
        if self._since is None:
            return
        log.warning("goes on", task=self._task, waited_s=round(time.monotonic() - self._since, 1))
        self._since, self._attempts, self._retries, self.trace = None, 0, 0, None
