"""The broker as a process: how it starts, stops, and says why it cannot."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tailrace.testing.broker import BrokerProcess


def run_until_it_ends(*options: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "tailrace.broker", *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_until_it_ends("--data", str(tmp_path), "--port", str(port))
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"tailrace broker: cannot listen on 127.0.0.1:{port}: ")
    assert "--port" in line


def test_a_directory_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path):
        ended = run_until_it_ends("--data", str(tmp_path), "--port", "0")
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert "is in use by another broker" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_within_two_seconds(tmp_path: Path, number: signal.Signals) -> None:
    address = tmp_path / "address"
    options = ["--data", str(tmp_path / "data"), "--port", "0", "--address-file", str(address)]
    process = subprocess.Popen([sys.executable, "-m", "tailrace.broker", *options])
    while not address.exists():
        assert process.poll() is None
        time.sleep(0.01)
    started = time.monotonic()
    os.kill(process.pid, number)
    assert process.wait(10) == 0
    assert time.monotonic() - started < 2


def test_a_failed_fsync_ends_it_without_an_answer(tmp_path: Path) -> None:
    """The disk is replaced by one that fails; nothing may be acknowledged after that."""
    script = (
        "import sys; sys.modules.setdefault('hypothesis', None)\n"
        "from pathlib import Path\n"
        "from tailrace.broker import cli, disk\n"
        "from tailrace.broker.config import BrokerConfig\n"
        "real = disk.File.sync\n"
        "def sync(file):\n"
        "    if file.path.parent.name == 'journal' and file.path.stat().st_size and cli.ready: raise OSError(5, 'EIO')\n"
        "    real(file)\n"
        "announce = cli._announce\n"
        "cli.ready = False\n"
        "def announce_and_break(running): announce(running); cli.ready = True\n"
        "cli._announce = announce_and_break\n"
        "disk.File.sync = sync\n"
        f"cli.run(BrokerConfig(data=Path({str(tmp_path / 'data')!r}), port=0, address_file=Path({str(tmp_path / 'a')!r})))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "a").exists():
        assert process.poll() is None
        time.sleep(0.01)
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": (tmp_path / "a").read_text(), "log_level": 0})
    created = admin.create_topics([NewTopic("topic", 1, 1)], request_timeout=2)["topic"]
    assert process.wait(10) == 3
    assert process.stderr is not None
    assert "writing to disk failed, stopping at once" in process.stderr.read()
    with pytest.raises(Exception, match="code"):
        created.result(10)
