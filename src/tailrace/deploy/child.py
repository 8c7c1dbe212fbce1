"""One named process across its runs: started, watched, started again."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import psutil

from tailrace.deploy.backoff import Backoff, Ended, GiveUp, Leave, Restart, after_exit, describe
from tailrace.deploy.log import OutputLog
from tailrace.deploy.process import COMMAND_NOT_FOUND, ProcessSpec, Run

PROBE_INTERVAL_S = 0.05
ENDED_FROM_OUTSIDE = frozenset({0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT})
"""Ends that the last lines before them do not explain."""


class State(StrEnum):
    """Where a supervised process stands."""

    STARTING = "starting"
    """Runs, and its probe has not held yet."""
    READY = "ready"
    BACKING_OFF = "backing off"
    """Ended unexpectedly; waits to be started again."""
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How a supervised process fares; `restarts` counts since its first start."""

    name: str
    state: State
    pid: int | None
    restarts: int
    rss_bytes: int


class Child:
    """A process under supervision; `give_up` is called with an exit status when all must stop because of it."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: OutputLog,
        *,
        backoff: Backoff,
        show: Callable[[str], None],
        give_up: Callable[[int], None],
    ) -> None:
        self.spec = spec
        self.log_path = log.path
        self.ready = asyncio.Event()
        self._log = log
        self._backoff = backoff
        self._show = show
        self._give_up = give_up
        self._state = State.STARTING
        self._run: Run | None = None
        self._restarts = 0
        self._stopping = asyncio.Event()

    async def supervise(self) -> None:
        """Run the command, again and again where the decision is so, until it is to be left ended."""
        failures = 0
        while True:
            ended = await self._run_once(failures)
            stopping = self._stopping.is_set()
            match after_exit(ended, restart=self.spec.restart, stopping=stopping, backoff=self._backoff):
                case Restart(delay_s, failures):
                    self._tell(ended, f"starting it again in {delay_s:g} s")
                    self._state = State.BACKING_OFF
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), delay_s)
                        break
                    self._restarts += 1
                case GiveUp(status):
                    self._show(f"{self.spec.name} cannot run: {self._log.last_line or describe(ended.status)}")
                    self._give_up(status)
                    break
                case Leave():
                    if not stopping and ended.status != 0:
                        self._tell(ended, "not starting it again")
                    self.ready.set()
                    break
        self._state = State.ENDED
        self._log.close()

    def terminate(self) -> None:
        """Ask the process to end, and do not start it again."""
        self._stopping.set()
        if self._run:
            self._state = State.STOPPING
            self._run.terminate()

    def kill(self) -> None:
        """End the process now, and do not start it again."""
        self._stopping.set()
        if self._run:
            self._run.kill()

    def status(self) -> ProcessStatus:
        """Tell how it fares."""
        pid = self._run.pid if self._run else None
        return ProcessStatus(self.spec.name, self._state, pid, self._restarts, rss_bytes(pid) if pid else 0)

    async def _run_once(self, failures: int) -> Ended:
        self._state = State.STARTING
        clock = asyncio.get_running_loop().time
        started = clock()
        self._run = await Run.start(self.spec, self._log)
        status = COMMAND_NOT_FOUND
        if self._run:
            if self._stopping.is_set():
                self._run.terminate()
            watch = asyncio.create_task(self._watch_ready())
            status = await self._run.wait()
            self._run = None
            watch.cancel()
        return Ended(status, clock() - started, failures, self._restarts == 0, self.ready.is_set())

    async def _watch_ready(self) -> None:
        try:
            while (probe := self.spec.ready) is not None:
                if await probe():
                    break
                await asyncio.sleep(PROBE_INTERVAL_S)
        except Exception as error:
            self._show(f"{self.spec.name} cannot be watched, its readiness probe failed: {error!r}")
            self._give_up(1)
            return
        if self._state is State.STARTING:
            self._state = State.READY
        self.ready.set()

    def _tell(self, ended: Ended, consequence: str) -> None:
        if ended.status not in ENDED_FROM_OUTSIDE:
            self._log.show_tail()
        end = f"ended with {describe(ended.status)} after {ended.uptime_s:.1f} s"
        self._show(f"{self.spec.name} {end}; {consequence} (log: {self.log_path})")


def rss_bytes(pid: int) -> int:
    """Give a process's resident memory; 0 when it has just ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
