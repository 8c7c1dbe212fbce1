"""The embedded broker in a process of its own, for tests."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tailrace.testing.server_process import ServerProcess


class BrokerProcess(ServerProcess):
    """Runs `python -m tailrace.broker`; to be used with `with`.

    Without `data_dir` its data lives in a temporary directory that is removed at the end. `options` are command-line
    options of the broker, for example `["--auto-create-topics"]`.
    """

    name: ClassVar[str] = "The embedded broker"
    start_timeout_s: ClassVar[float] = 20
    ask_every_s: ClassVar[float] = 0.005

    def __init__(
        self,
        data_dir: Path | str | None = None,
        port: int = 0,
        options: Sequence[str] = (),
        *,
        detached: bool = False,
    ) -> None:
        super().__init__(data_dir, port, detached=detached)
        self._options = list(options)

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def _address_file(self) -> Path:
        return self.data_dir / "address"

    def _prepare(self) -> None:
        self._address_file.unlink(missing_ok=True)

    def _argv(self) -> list[str]:
        settings = {"data": self.data_dir, "port": self.port, "address.file": self._address_file}
        overrides = [f"--override={name}={value}" for name, value in settings.items()]
        return [sys.executable, "-m", "tailrace.broker", *overrides, *self._options]

    def _is_ready(self) -> bool:
        return self._address_file.exists()
