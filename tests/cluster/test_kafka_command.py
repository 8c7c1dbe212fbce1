"""The command that starts and stops one Apache Kafka node."""

import subprocess
from pathlib import Path

import pytest

from tailrace.testing.port import accepts, free_port

pytestmark = pytest.mark.kafka
COMMAND = Path(__file__).parents[2] / "tools" / "kafka" / "kafka"


def kafka(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_start_status_and_stop(tmp_path: Path) -> None:
    data, port = str(tmp_path), free_port()
    assert kafka("status", "--data", data) == (1, "not running\n")
    try:
        assert kafka("start", "--data", data, "--port", str(port)) == (0, f"127.0.0.1:{port}\n")
        assert accepts(port)
        status, told = kafka("status", "--data", data)
        assert (status, told.startswith("running, pid "), told.endswith(f"127.0.0.1:{port}\n")) == (0, True, True)
        assert kafka("start", "--data", data)[1].startswith("already running")
        status, told = kafka("start", "--data", str(tmp_path / "other"), "--port", str(port))
        assert (status, f"port {port} of 127.0.0.1 is taken" in told) == (1, True)
    finally:
        stopped = kafka("stop", "--data", data)
    assert stopped == (0, "stopped\n")
    assert not accepts(port)
    assert kafka("stop", "--data", data) == (0, "not running\n")
