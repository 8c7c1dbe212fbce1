"""Threads of a broker in the order of a seed: one runs at a time, and may have to wait before it changes the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from threading import Semaphore, Thread, current_thread
from typing import Any

from tailrace.broker.broker import Broker, State
from tailrace.broker.config import BrokerConfig
from tests.tailrace.broker.durability.simulated_disk import SimulatedDisk

NOW_MS = 1000


class Job:
    """What was given to an executor, running in a thread of its own."""

    def __init__(self, act: Callable[[], Any], done: asyncio.Future[Any], back: Semaphore) -> None:
        self.may_run = Semaphore(0)
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = done
        self._act = act
        self._back = back
        self.thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.may_run.acquire()
        try:
            self.result = self._act()
        except BaseException as error:
            self.error = error
        self.is_done = True
        self._back.release()

    def settle(self) -> None:
        """Tell who waits for it."""
        if self.done.cancelled():
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class InterleavingLoop(asyncio.SelectorEventLoop):
    """An event loop that runs the jobs of executors in an order which is the same for the same seed."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._jobs: list[Job] = []
        self._back = Semaphore(0)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Start a job; it gets its turn between other things that the loop has to do."""
        job = Job(lambda: func(*args), self.create_future(), self._back)
        self._jobs.append(job)
        job.thread.start()
        self.call_soon(self._turn)
        return job.done

    def _turn(self) -> None:
        if not self._jobs:
            return
        job = self._random.choice(self._jobs)
        job.may_run.release()
        self._back.acquire()
        if job.is_done:
            self._jobs.remove(job)
            job.thread.join()
            job.settle()
        if self._jobs:
            self.call_soon(self._turn)

    def let_others_run(self) -> None:
        """In a job: let the loop or another job go on first."""
        job = next((job for job in self._jobs if job.thread is current_thread()), None)
        if job is not None and self._random.random() < 0.5:
            self._back.release()
            job.may_run.acquire()


def run_broker(disk: SimulatedDisk, state: State, random: Random, use: Callable[[Broker], Awaitable[None]]) -> None:
    """A broker that runs while it is used, in a thread of its own, and stops as in a crash.

    Raises what its use raised, or what made the broker fail.
    """
    errors: list[BaseException] = []

    async def scenario() -> None:
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        broker = Broker(BrokerConfig(), disk, state, failure.set_exception, lambda: NOW_MS)
        broker.start()
        using = asyncio.ensure_future(use(broker))
        await asyncio.wait((using, failure), return_when=asyncio.FIRST_COMPLETED)
        broker.commit.abandon()
        for each in (failure, using):
            if each.done():
                each.result()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: InterleavingLoop(random)) as runner:
                runner.run(scenario())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
