"""The broker as a process: how it starts, stops, and says why it cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tailrace.testing.broker import BrokerProcess

DYNAMIC_TOPIC_CONFIG, STATIC_BROKER_CONFIG = 1, 4  # sources of a configuration (KIP-226)


def run_until_it_ends(*options: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "tailrace.broker", *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


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


@pytest.mark.parametrize("quick", [True, False])
def test_the_command_line_wins_over_the_file(tmp_path: Path, quick: bool) -> None:
    """With and without the library of the command line: only `--override` goes without."""
    file = tmp_path / "server.properties"
    file.write_text(f"port=-1\ndata={tmp_path / 'data'}\nlog.format=json\naddress.file={tmp_path / 'address'}\n")
    if quick:
        options = [f"--override={line}" for line in file.read_text().splitlines()] + ["--override=port=0"]
    else:
        options = ["--config", str(file), "--port", "0"]
    process = subprocess.Popen([sys.executable, "-m", "tailrace.broker", *options], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "address").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    _, logged = process.communicate(timeout=60)
    ready = json.loads(logged.splitlines()[0])
    assert ready["event"] == "broker ready"
    assert ready["address"] == (tmp_path / "address").read_text()
    assert ready["level"] == "info"


@pytest.mark.parametrize("options", [["--override=prot=1"], ["--override", "prot=1"]])
def test_an_unknown_setting_is_said_in_one_line(options: list[str]) -> None:
    ended = run_until_it_ends(*options)
    assert ended.returncode == 2
    assert ended.stderr == "tailrace broker: --override: there is no setting prot; did you mean port?\n"


def test_settings_hold_for_topics_that_leave_a_configuration_open(tmp_path: Path) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined]

    settings = ["--override=message.max.bytes=2000", "--override=log.retention.hours=1"]
    with BrokerProcess(tmp_path, options=settings) as broker:
        address = {"bootstrap.servers": broker.bootstrap_servers}
        admin = AdminClient(address)
        topics = [NewTopic("small", 1), NewTopic("large", 1, config={"max.message.bytes": "5000"})]
        for created in admin.create_topics(topics).values():
            created.result()
        broker.restart()
        resources = [ConfigResource("topic", "small"), ConfigResource("topic", "large"), ConfigResource("broker", "1")]
        small, large, of_broker = (found.result() for found in admin.describe_configs(resources).values())
        assert [(c["max.message.bytes"].value, c["max.message.bytes"].source) for c in (small, large)] == [
            ("2000", STATIC_BROKER_CONFIG),
            ("5000", DYNAMIC_TOPIC_CONFIG),
        ]
        assert {name: entry.value for name, entry in small["max.message.bytes"].synonyms.items()} == {
            "message.max.bytes": "1048588"
        }
        assert (small["retention.ms"].value, of_broker["message.max.bytes"].value) == ("3600000", "2000")
        outcomes: dict[str, str | None] = {}
        producer = Producer(address)
        for topic in ("small", "large"):
            producer.produce(
                topic,
                bytes(3000),
                on_delivery=lambda error, message: outcomes.update({message.topic(): error and error.name()}),
            )
        assert producer.flush(60) == 0
        assert outcomes == {"small": "MSG_SIZE_TOO_LARGE", "large": None}


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
    assert process.wait(60) == 0
    assert time.monotonic() - started < 2


BROKER_ON_A_FAILING_DISK = """
import sys
sys.modules.setdefault("hypothesis", None)
from pathlib import Path
from tailrace.broker import disk, process
from tailrace.broker.config import BrokerConfig

is_ready = False
sync = disk.File.sync
announce = process._announce

def sync_or_fail(file):
    if is_ready and file.path.parent.name == "journal":
        raise OSError(5, "Input/output error")
    sync(file)

def announce_and_break(*arguments):
    global is_ready
    announce(*arguments)
    is_ready = True

disk.File.sync = sync_or_fail
process._announce = announce_and_break
process.run(BrokerConfig(data=Path({data!r}), port=0, address_file=Path({address!r})))
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
    assert process.wait(60) == 3
    assert process.stderr is not None
    assert "writing to disk failed, stopping at once" in process.stderr.read()
    with pytest.raises(Exception, match="code"):
        created.result(60)
