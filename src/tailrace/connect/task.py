"""Keeps one task running: a thread, restarts with growing pauses, and a state that others can look at."""

import time
import traceback
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Protocol

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.5
PAUSE_S_MAX = 30.0
HEALTHY_S = 60.0


class Runner(Protocol):
    """What runs once, from beginning to stop or failure."""

    @property
    def trace(self) -> str | None:
        """What is being waited for, None while all is well."""

    def run(self, stop: Event) -> None:
        """Run until told to stop. Raises what cannot be waited out."""


class TaskThread:
    """A task in a thread of its own.

    States are Kafka Connect's: UNASSIGNED before the start, RUNNING (with a trace while it waits for its system),
    FAILED while it waits to be restarted. Also a task that was fenced is restarted: it cannot know whether another
    worker has its place, or the cluster took it for dead; where two workers contend, the pauses grow.
    """

    def __init__(self, name: str, make_runner: Callable[[], Runner]) -> None:
        self.name = name
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._state = "UNASSIGNED"
        self._trace: str | None = None
        self._thread: Thread | None = None

    def start(self, stop: Event) -> None:
        """Begin, in the background, until told to stop."""
        # A daemon, so that a database which does not answer cannot keep the process from ending.
        self._thread = Thread(target=self._run, args=(stop,), name=self.name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end and tell whether it came."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def status(self) -> dict[str, Any]:
        """Give state and trace."""
        runner = self._runner
        trace = self._trace or (runner.trace if runner is not None else None)
        return {"state": self._state} | ({"trace": trace} if trace else {})

    def _run(self, stop: Event) -> None:
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            began_at = time.monotonic()
            try:
                self._runner = self._make_runner()
                self._state, self._trace = "RUNNING", None
                self._runner.run(stop)
            except Exception as error:
                if time.monotonic() - began_at > HEALTHY_S:
                    pause_s = FIRST_PAUSE_S
                self._state, self._trace, self._runner = "FAILED", traceback.format_exc(), None
                log.error("task failed", task=self.name, reason=str(error) or repr(error), again_in_s=pause_s)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
        self._state = "UNASSIGNED"
