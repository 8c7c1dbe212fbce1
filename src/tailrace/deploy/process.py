"""One run of a named command as a child process."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from tailrace.deploy.log import OutputLog
from tailrace.deploy.orphan import die_with_parent
from tailrace.deploy.ready import Probe

COMMAND_NOT_FOUND = 127  # as shells say it


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A command to keep running.

    `env` is added to our environment. Without a `ready` probe it counts as ready once started. Groups stop in
    descending order of `stop_group`: give a process a higher one than those it depends on. One that does not
    `restart` may end by itself.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Probe | None = None
    ready_timeout_s: float = 60
    stop_group: int = 0
    restart: bool = True


class Run:
    """A started process, in a session of its own so that the terminal's signals reach only the supervisor."""

    def __init__(self, process: asyncio.subprocess.Process, output: int, log: OutputLog) -> None:
        self.pid = process.pid
        self._process = process
        self._output = output
        self._log = log
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self._take_output)

    @classmethod
    async def start(cls, spec: ProcessSpec, log: OutputLog) -> Self | None:
        """Start the command; None, with the reason as the log's last line, when the system cannot."""
        log.begin_run()
        # A pipe of our own: asyncio's would make wait() last until all who inherited it have ended.
        output, stdout = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **spec.env},
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        except OSError as error:
            os.close(output)
            log.write(f"cannot run {spec.argv[0]}: {error.strerror}\n".encode())
            return None
        finally:
            os.close(stdout)
        return cls(process, output, log)

    async def wait(self) -> int:
        """Wait until the process has ended and its output is taken; give its status, negative for a signal."""
        status = await self._process.wait()
        self.kill()  # what it left behind in its session
        asyncio.get_running_loop().remove_reader(self._output)
        while self._take_output():
            pass
        os.close(self._output)
        self._log.end_run()
        return status

    def terminate(self) -> None:
        """Ask the process to end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and all it started in its session, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _take_output(self) -> bool:
        """Log what there is; False when there is nothing (more)."""
        try:
            chunk = os.read(self._output, 64 * 1024)
        except BlockingIOError:
            return False
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._output)
            return False
        self._log.write(chunk)
        return True
