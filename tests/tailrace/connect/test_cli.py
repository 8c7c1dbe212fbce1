"""The command, as a process."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tailrace.testing.port import accepts, free_port
from tests.tailrace.connect.accounts import eventually

COMMAND = [sys.executable, "-m", "tailrace.connect"]


def write_config(folder: Path, **changes: str) -> str:
    config = {"connector.class": "SqlSink", "topics": "t", "connection.url": f"sqlite:///{folder}/a.db"} | changes
    path = folder / "sink.json"
    path.write_text(json.dumps({"name": "s", "config": config}))
    return str(path)


def refused(*arguments: str) -> str:
    """Run the command, which must refuse in one line, and give the line."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


def test_it_serves_until_it_is_told_to_stop(broker: Any, tmp_path: Path) -> None:
    port = free_port()
    options = ["--bootstrap-servers", broker.bootstrap_servers, "--port", str(port)]
    process = subprocess.Popen([*COMMAND, write_config(tmp_path), *options], stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: accepts(port))
        assert httpx.get(f"http://127.0.0.1:{port}/connectors").json() == ["s"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()


def test_a_wrong_key_is_one_line(tmp_path: Path) -> None:
    line = refused(write_config(tmp_path, topicz="x"), "--port", "0")
    assert line == "Connect cannot start: connector s: topicz='x' is not a key of this connector; did you mean topics?"


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("{", "is not a connector's configuration")])
def test_a_file_that_is_no_configuration_is_one_line(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    assert reason in refused(str(path), "--port", "0")


def test_a_missing_database_is_one_line(broker: Any, tmp_path: Path) -> None:
    config = write_config(tmp_path, **{"connection.url": f"postgresql://127.0.0.1:{free_port()}/d"})
    assert "Connection refused" in refused(config, "--port", "0", "--bootstrap-servers", broker.bootstrap_servers)


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Connect cannot listen on 127.0.0.1:{port}: Address already in use" in refused(
            write_config(tmp_path), "--port", str(port)
        )
