"""Keeps a set of processes running, tells what happens to them, and ends them together."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tailrace.deploy.backoff import Backoff, stop_allowance_s
from tailrace.deploy.child import Child, ProcessStatus
from tailrace.deploy.log import OutputLog
from tailrace.deploy.process import ProcessSpec

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def write_to_stderr(line: str) -> None:
    """Show a line on standard error."""
    sys.stderr.write(line + "\n")


class Supervisor:
    """Runs processes until a signal, or an error of one that starting again cannot mend, ends them all.

        async with Supervisor(directory) as supervisor:
            if await supervisor.start([broker]) and await supervisor.start(services):
                ...
            return await supervisor.wait()

    The output of each goes to `directory/logs/NAME.log`; `show` gets what people must see, line by line. Linux and
    other Unixes only, in the main thread, whose signals it takes: the first asks all to stop, a second kills.
    """

    def __init__(
        self,
        directory: Path,
        *,
        show: Callable[[str], None] = write_to_stderr,
        backoff: Backoff | None = None,
        stop_timeout_s: float = 4.5,
    ) -> None:
        self._logs = directory / "logs"
        self._show = show
        self._backoff = backoff or Backoff()
        self._stop_timeout_s = stop_timeout_s
        self._children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[int] = loop.create_future()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, self._on_signal, signum)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        for signum in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(signum)

    async def start(self, specs: Iterable[ProcessSpec]) -> bool:
        """Start processes and wait until all are ready; False when everything is to end instead."""
        if self._end.done():
            return False
        waits = [asyncio.create_task(self._until_ready(self._add(spec))) for spec in specs]
        await self._first_of(asyncio.create_task(asyncio.wait(waits)))
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return not self._end.done()

    async def wait(self) -> int:
        """Wait until everything is to end; 0 after a signal or when none is left, else the status of what failed."""
        await self._first_of(asyncio.create_task(asyncio.wait(self._tasks.values())))
        return self._end.result() if self._end.done() else 0

    async def stop(self) -> None:
        """End all processes, group by group, within the stop timeout; those that take longer are killed."""
        self._finish(0)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._stop_timeout_s
        groups = self._groups_to_stop()
        for position, group in enumerate(groups):
            await self._stop_group(group, stop_allowance_s(deadline - clock(), len(groups) - position))
        await asyncio.gather(*self._tasks.values())

    def status(self) -> list[ProcessStatus]:
        """Tell how each process fares, in the order they were started."""
        return [child.status() for child in self._children.values()]

    def _add(self, spec: ProcessSpec) -> Child:
        if spec.name in self._children:
            raise ValueError(f"two processes are named {spec.name!r}; names must differ, their logs are named by them")
        log = OutputLog(self._logs / f"{spec.name}.log", self._show)
        child = Child(spec, log, backoff=self._backoff, show=self._show, give_up=self._finish)
        self._children[spec.name] = child
        self._tasks[spec.name] = asyncio.create_task(child.supervise(), name=spec.name)
        self._tasks[spec.name].add_done_callback(self._on_task_done)
        return child

    async def _first_of(self, event: asyncio.Future[Any]) -> None:
        """Wait for the event or until everything is to end."""
        await asyncio.wait([event, self._end], return_when=asyncio.FIRST_COMPLETED)
        event.cancel()

    async def _until_ready(self, child: Child) -> None:
        timeout_s = child.spec.ready_timeout_s
        try:
            await asyncio.wait_for(child.ready.wait(), timeout_s)
        except TimeoutError:
            self._show(f"{child.spec.name} is not ready after {timeout_s:g} s (log: {child.log_path})")
            self._finish(1)

    async def _stop_group(self, group: list[Child], allowance_s: float) -> None:
        for child in group:
            child.terminate()
        tasks = [self._tasks[child.spec.name] for child in group]
        await asyncio.wait(tasks, timeout=allowance_s)
        for child, task in zip(group, tasks, strict=True):
            if not task.done():
                self._show(f"{child.spec.name} did not end within {allowance_s:.1f} s; killing it")
                child.kill()
        await asyncio.wait(tasks)

    def _groups_to_stop(self) -> list[list[Child]]:
        def group_of(child: Child) -> int:
            return child.spec.stop_group

        ordered = sorted(self._children.values(), key=group_of, reverse=True)
        return [list(group) for _, group in groupby(ordered, key=group_of)]

    def _finish(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    def _on_signal(self, signum: signal.Signals) -> None:
        if not self._end.done():
            self._show(f"{signum.name}: stopping; once more kills at once")
            self._finish(0)
            return
        for child in self._children.values():
            child.kill()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            self._finish(1)  # a fault of ours: stop() raises it
