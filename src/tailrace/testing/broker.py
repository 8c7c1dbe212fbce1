"""A real broker in a process of its own, for tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 20.0


class BrokerProcess:
    """Runs `python -m tailrace.broker` and gives its address; to be used with `with`.

    Without `data` its data lives in a temporary directory that is removed at the end. `options` are command-line
    options of the broker, for example `("--auto-create-topics",)`.
    """

    def __init__(self, data: Path | None = None, port: int = 0, options: tuple[str, ...] = ()) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="tailrace-") if data is None else None
        self.data = data if data is not None else Path(self._temporary.name if self._temporary else "")
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self._running().pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def start(self) -> None:
        """Start the broker and return when it can be connected to. Raises RuntimeError when it does not start."""
        self.data.mkdir(parents=True, exist_ok=True)
        address_file = self.data / "address"
        address_file.unlink(missing_ok=True)
        arguments = ("--data", str(self.data), "--port", str(self.port), "--address-file", str(address_file))
        self._process = subprocess.Popen([sys.executable, "-m", "tailrace.broker", *arguments, *self._options])
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not address_file.exists():
            if self._process.poll() is not None:
                raise RuntimeError(f"the broker exited with code {self._process.returncode}; see its standard error")
            if time.monotonic() > give_up_at:
                self.kill()
                raise RuntimeError(f"the broker was not ready within {START_TIMEOUT_S} s")
            time.sleep(0.01)
        self.port = int(address_file.read_text().rpartition(":")[2])

    def stop(self) -> int:
        """Stop the broker cleanly; gives its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=10)

    def kill(self) -> None:
        """Kill the broker as a crash would (SIGKILL)."""
        process = self._running()
        process.kill()
        process.wait()

    def restart(self) -> None:
        """Start the broker again on the same port and data, stopping it first if it runs."""
        if self._running().poll() is None:
            self.stop()
        self.start()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker was not started; use 'with BrokerProcess() as broker:'")
        return self._process
