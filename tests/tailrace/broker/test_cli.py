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


BROKER_ON_A_FAILING_DISK = """
import sys
sys.modules.setdefault("hypothesis", None)
from pathlib import Path
from tailrace.broker import cli, disk
from tailrace.broker.config import BrokerConfig

is_ready = False
sync = disk.File.sync
announce = cli._announce

def sync_or_fail(file):
    if is_ready and file.path.parent.name == "journal":
        raise OSError(5, "Input/output error")
    sync(file)

def announce_and_break(running):
    global is_ready
    announce(running)
    is_ready = True

disk.File.sync = sync_or_fail
cli._announce = announce_and_break
cli.run(BrokerConfig(data=Path({data!r}), port=0, address_file=Path({address!r})))
"""


def test_a_failed_fsync_ends_it_without_an_answer(tmp_path: Path) -> None:
    """The disk is replaced by one that fails; nothing may be acknowledged after that."""
    address = tmp_path / "address"
    script = BROKER_ON_A_FAILING_DISK.format(data=str(tmp_path / "data"), address=str(address))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    while not address.exists():
        assert process.poll() is None
        time.sleep(0.01)
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": address.read_text(), "log_level": 0})
    created = admin.create_topics([NewTopic("topic", 1, 1)], request_timeout=2)["topic"]
    assert process.wait(10) == 3
    assert process.stderr is not None
    assert "writing to disk failed, stopping at once" in process.stderr.read()
    with pytest.raises(Exception, match="code"):
        created.result(10)
