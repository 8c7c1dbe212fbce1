"""`tailrace users`, on the directory of a broker that does not run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.testing.broker import BrokerProcess


def users(data: Path, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("tailrace")), "users", *arguments, "--data", str(data)]
    return subprocess.run(command, input=password, capture_output=True, text=True, timeout=60, check=False)


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    for name in ("bob", "alice"):
        assert users(tmp_path, "add", name, password="secret\n").returncode == 0
    assert users(tmp_path, "list").stdout == "alice\nbob\n"
    assert users(tmp_path, "remove", "bob").returncode == 0
    assert users(tmp_path, "list").stdout == "alice\n"
    missing = users(tmp_path, "remove", "bob")
    assert (missing.returncode, missing.stderr) == (2, f"tailrace users: {tmp_path} has no user bob\n")


def test_a_user_needs_a_password(tmp_path: Path) -> None:
    ended = users(tmp_path, "add", "alice", password="\n")
    assert (ended.returncode, ended.stderr) == (
        2,
        "tailrace users: no password for alice; write one to standard input\n",
    )


def test_a_broker_that_runs_keeps_its_directory(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path):
        ended = users(tmp_path, "add", "alice", password="secret\n")
    assert ended.returncode == 2
    assert "is in use by another broker" in ended.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--security-protocol", "SSL"], "needs ssl.keystore.location"),
        (["--security-protocol", "SASL_SSL", "--ssl-keystore-location", "nowhere.pem"], "cannot be used"),
    ],
)
def test_settings_that_cannot_work_are_said_in_one_line(tmp_path: Path, options: list[str], expected: str) -> None:
    command = [sys.executable, "-m", "tailrace.broker", "--data", str(tmp_path), "--port", "0", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("tailrace broker: ")
    assert expected in line
