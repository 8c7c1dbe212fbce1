"""What is measured of a system while it works: what it writes, its processor time and its memory."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

PARTITIONS = 4
START_TIMEOUT_S = 120.0


class Application:
    """A system at a job, as a process that can be killed and started again."""

    def __init__(self, argv: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._argv, self._log = list(argv), log
        self._environment = {**os.environ, **(environment or {})}
        self.peak_memory = 0
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._watch.join()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdout=log, stderr=subprocess.STDOUT, env=self._environment, start_new_session=True
            )

    def kill(self) -> None:
        """End it and its children with SIGKILL."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def cpu_s(self) -> float:
        """Processor time used so far, children included."""
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def check(self) -> None:
        """Raise RuntimeError when it has ended."""
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self._argv} ended with {self._process.returncode}:\n{said}")

    def _processes(self) -> list[psutil.Process]:
        process = psutil.Process(self._process.pid)
        return [process, *process.children(recursive=True)]

    def _watch_memory(self) -> None:
        while not self._stopped.wait(0.25):
            try:
                memory = sum(each.memory_info().rss for each in self._processes())
            except psutil.Error:
                continue  # killed just now
            self.peak_memory = max(self.peak_memory, memory)


class Output:
    """The committed records of a topic, from its beginning on."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "benchmark",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
                "fetch.queue.backoff.ms": 1,
                "queued.min.messages": 1_000_000,
            }
        )
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
        self.seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def take(self, timeout_s: float = 0.1) -> list[Message]:
        """The records that have come; waits only for the first."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        records = [each for each in (first, *self._consumer.consume(50_000, 0)) if each.error() is None]
        self.seen += len(records)
        return records

    def wait_for(self, number: int, timeout_s: float, check: Callable[[], None]) -> float:
        """Wait until so many were seen, for so long at most; the moment of the last ones."""
        moment = time.monotonic()
        deadline = moment + timeout_s
        while self.seen < number and time.monotonic() < deadline:
            if self.take():
                moment = time.monotonic()
            else:
                check()
        return moment


@dataclass(frozen=True)
class Rate:
    """Outputs per second, and seconds of processor time for each."""

    per_s: float
    cpu_s: float
    seconds: float


def rate(application: Application, output: Output, expected: int, warm_up_s: float, seconds: float) -> Rate:
    """How fast a backlog is worked off, for so long or until all `expected` outputs are there.

    From `warm_up_s` after the first output on, or half of that where all would be there before.
    """
    output.wait_for(1, START_TIMEOUT_S, application.check)
    output.wait_for(expected // 2, warm_up_s, application.check)
    begun, cpu_begun, seen = time.monotonic(), application.cpu_s(), output.seen
    ended = output.wait_for(expected, seconds, application.check)
    done, elapsed = output.seen - seen, ended - begun
    if not done:
        return Rate(0.0, 0.0, elapsed)
    return Rate(done / elapsed, (application.cpu_s() - cpu_begun) / done, elapsed)


def latencies(output: Output, seconds: float) -> list[float]:
    """For so long, milliseconds from when each record was due until its output was here."""
    deadline, found = time.monotonic() + seconds, []
    while time.monotonic() < deadline:
        records = output.take(0.01)
        now_ms = time.time() * 1000
        found += [now_ms - record.timestamp()[1] for record in records]
    return found


def restart_s(application: Application, output: Output, limit_s: float) -> float:
    """Kill and start again at once; seconds until the first output that comes of it, or the limit."""
    application.kill()
    while output.take(0.5):
        pass
    begun, before = time.monotonic(), output.seen
    application.start()
    output.wait_for(before + 1, limit_s, lambda: None)
    return time.monotonic() - begun
