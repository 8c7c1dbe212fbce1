"""What the servers that tests start have in common: a process, a port, a data directory, and ways to end it."""

import contextlib
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

from tailrace.deploy.orphan import die_with_parent
from tailrace.testing.port import free_port, port_is_free


class ServerProcess(ABC):
    """A server on 127.0.0.1 in a process of its own; on entry it starts, on exit it ends.

    `data_dir` is kept when given; otherwise a temporary one is used, and removed at the end. `port` 0 means a free
    one. A `detached` server outlives the Python process that started it.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float] = 60
    ask_every_s: ClassVar[float] = 0.05
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, data_dir: Path | str | None = None, port: int = 0, *, detached: bool = False) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            data_dir = self._temporary.name
        self.data_dir = Path(data_dir).absolute()
        self.port = port or free_port()
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data directory ready; called before every start, so it keeps what is there."""

    @abstractmethod
    def _argv(self) -> list[str]:
        """Give the command that runs the server in the foreground."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Ask the server, once, whether it serves."""

    @property
    def user(self) -> str | None:
        """Whom the process runs as; None means as we do."""
        return None

    @property
    def log_file(self) -> Path:
        """Where the server's output goes."""
        return self.data_dir / "server.log"

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError when the server does not run."""
        if self._process is None:
            raise RuntimeError(f"{self.name} on port {self.port} does not run; call start() first")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it serves. Raises RuntimeError with the end of its log when it does not."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} already runs on port {self.port} with pid {self._process.pid}")
        if not port_is_free(self.port):
            raise RuntimeError(f"{self.name} cannot start: port {self.port} of 127.0.0.1 is taken; choose another")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                start_new_session=True,
                user=self.user,
                preexec_fn=None if self._detached else die_with_parent(),
            )
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """End the server, and the processes it started, as a crash would."""
        self._end(signal.SIGKILL, None)

    def stop(self, timeout_s: float = 30) -> None:
        """End the server in its orderly way; one that takes longer than `timeout_s` is killed."""
        self._end(self.stop_signal, timeout_s)

    def restart(self) -> Self:
        """Start again, on the same port and data, whether it was stopped, killed or still runs."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._temporary:
            self.kill()  # nothing of it is kept, so nobody need wait for an orderly end
            self._temporary.cleanup()
        else:
            self.stop()

    def _end(self, signum: signal.Signals, timeout_s: float | None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        family = _descendants(process.pid)
        process.send_signal(signum)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for left in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        while not all(_has_ended(left) for left in family):
            time.sleep(0.005)

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.start_timeout_s
        while True:
            ready = self._is_ready()
            if (status := self._process.poll()) is not None:
                raise RuntimeError(f"{self.name} ended with status {status} while starting:\n{self._last_lines()}")
            if ready:
                return
            if time.monotonic() > deadline:
                waited = f"after {self.start_timeout_s:g} s"
                raise RuntimeError(f"{self.name} does not serve port {self.port} {waited}:\n{self._last_lines()}")
            time.sleep(self.ask_every_s)

    def _last_lines(self, count: int = 20) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-count:])
        return "(no log)"


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def _has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
