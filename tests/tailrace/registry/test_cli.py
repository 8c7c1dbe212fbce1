"""The registry as a process: how it starts, ends, and says why it cannot."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailrace.registry.client import RegistryClient
from tailrace.testing.port import free_port

COMMAND = [sys.executable, "-m", "tailrace.registry"]


def refusal(*options: str) -> str:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refusal("--port", port)


def test_unreachable_broker_is_one_clear_line() -> None:
    broker = f"127.0.0.1:{free_port()}"
    line = refusal("--port", "0", "--bootstrap-servers", broker, "--wait", "0.1")
    assert f"no Kafka broker answered at {broker}" in line


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(
    broker: Any, unique: Callable[[str], str], tmp_path: Path, stop: signal.Signals
) -> None:
    address = tmp_path / "address"
    options = ["--port", "0", "--address-file", str(address), "--topic", unique("schemas")]
    process = subprocess.Popen([*COMMAND, "--bootstrap-servers", broker.bootstrap_servers, *options])
    try:
        while not address.exists():
            assert process.poll() is None
            time.sleep(0.01)
        client = RegistryClient(f"http://{address.read_text()}")
        client.register("s", '"string"')
        begin = time.monotonic()
        process.send_signal(stop)
        assert process.wait(60) == 0
        assert time.monotonic() - begin < 2
    finally:
        process.kill()
        process.wait()
