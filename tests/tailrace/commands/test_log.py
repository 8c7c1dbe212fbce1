"""`tailrace log`: lines for people, JSON for scripts, exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tailrace.cli import app
from tailrace.testing.broker import BrokerProcess

from .conftest import Tailrace


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What a broker with one topic and one record leaves."""
    with BrokerProcess(tmp_path) as broker:
        tailrace = Tailrace(broker.bootstrap_servers)
        tailrace("topics", "create", "orders")
        tailrace("produce", "orders", "--key-separator", ":", given=b"k:\xff\n")
    return tmp_path


def test_a_sound_directory_exits_with_0(data: Path) -> None:
    done = run("verify", data)
    assert done.exit_code == 0
    assert done.stdout.startswith("0 problems; 1 topics, 1 partitions, 1 segments, 1 batches and ")
    report = json.loads(run("verify", data, "--json").stdout)
    assert (report["problems"], report["broker_pid"], report["batches"]) == ([], None, 1)


def test_damage_exits_with_1_and_says_where(data: Path) -> None:
    [log] = data.rglob("0*.log")
    content = bytearray(log.read_bytes())
    content[-1] ^= 1
    log.write_bytes(content)
    done = run("verify", data)
    assert done.exit_code == 1
    assert f"wrong: {log.relative_to(data)}, byte 0: a batch of " in done.stdout
    [problem] = json.loads(run("verify", data, "--json").stdout)["problems"]
    assert (problem["file"], problem["position"]) == (str(log.relative_to(data)), 0)
    assert run("dump", log).exit_code == 1


def test_a_running_broker_is_named(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        done = run("verify", tmp_path)
        assert done.exit_code == 0
        assert f"a broker runs there, process {broker.pid}" in done.stdout
        done = run("dump", tmp_path / "checkpoint")
        assert done.exit_code == 0
        assert done.stderr == f"a broker runs there, process {broker.pid}; it goes on writing\n"


def test_records_are_shown_safely(data: Path) -> None:
    [log] = data.rglob("0*.log")
    lines = run("dump", log, "--records").stdout.splitlines()
    assert lines[0] == str(log)
    assert lines[1].startswith("  batch position=0 offset=0 last_offset=0 records=1 ")
    assert "key=k value=\\xff" in lines[2]
    record = json.loads(run("dump", log, "--records", "--json").stdout.splitlines()[1])
    assert (record["kind"], record["key"], record["value"]) == ("record", "k", {"base64": "/w=="})


def test_everything_can_be_dumped_as_json(data: Path) -> None:
    rows = [json.loads(line) for line in run("dump", data, "--json").stdout.splitlines()]
    assert {row["kind"] for row in rows} == {"checkpoint", "batch"}
    assert [topic["name"] for topic in rows[0]["topics"]] == ["orders"]


def test_what_is_not_there_is_said() -> None:
    for command in ("verify", "dump"):
        done = run(command, "nowhere")
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert "nowhere" in done.stderr
