"""Processes are killed and frozen under load; the load completes, and the audit finds the history sound."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.e2e.exchange import COMMANDS, Exchange

RATE, ACCOUNTS = 200, 40


@contextmanager
def load(exchange, seconds, may_crash=False):
    """Requests at a steady rate while the body runs; afterwards every one of them has exactly one outcome.

    librdkafka may end in a segmentation fault (its issue 5280) when Apache Kafka has just been restarted and names no
    leader. Services are started again; of the load's requests the audit alone can tell then.
    """
    options = [f"--rate={RATE}", f"--transactions={RATE * seconds}", f"--accounts={ACCOUNTS}", "--json"]
    process = exchange.command("load", *options)
    yield process
    output, errors = process.communicate(timeout=seconds + 120)
    if may_crash and process.returncode == -signal.SIGSEGV:
        exchange.wait_until_decided()
        return
    assert process.returncode == 0, f"status {process.returncode}\n{output}{errors}{exchange.said()}"
    figures = json.loads(output)
    assert (figures["missing"], figures["duplicates"]) == (0, 0), figures


def wait_for_requests(exchange):
    """The load has begun: its first requests are decided."""
    deadline = time.monotonic() + 60
    while not exchange.count("transactions"):
        assert time.monotonic() < deadline, "no load arrives"
        time.sleep(0.1)


def kill_and_wait_for_restart(exchange, name):
    process = exchange.processes(name)[0]
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not [p for p in exchange.processes(name) if p.pid != process.pid] or not exchange.is_ready():
        assert time.monotonic() < deadline, exchange.said()
        time.sleep(0.1)


@pytest.mark.timeout(240)
def test_every_process_is_killed_under_load(exchange):
    names = ["transactions", "wallets", "rates", "accounts", "web", "registry"]
    if exchange.processes("broker"):
        names.append("broker")
    with load(exchange, seconds=25):
        wait_for_requests(exchange)
        for name in names:
            kill_and_wait_for_restart(exchange, name)
            assert f"{name} was ended by SIGKILL" in exchange.said() or "SIGKILL" in exchange.said()
            time.sleep(1.0)  # of undisturbed load between two faults
    after = exchange.customer("after")
    assert after.deposit("1.00", "EUR")["status"] == "succeeded"
    assert exchange.settled_audit()["sound"]


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_apache_kafka_is_killed_under_load(tmp_path):
    from tailrace.testing.kafka import KafkaProcess

    with KafkaProcess() as kafka, Exchange(tmp_path, bootstrap_servers=kafka.bootstrap_servers) as exchange:
        with load(exchange, seconds=15, may_crash=True):
            wait_for_requests(exchange)
            kafka.kill()
            kafka.restart()
        assert exchange.settled_audit()["sound"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("engine_name", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_a_frozen_instance_is_fenced_and_commits_nothing_twice(engine_name, tmp_path):
    """Two instances share the work; one is stopped for longer than its session and its transaction may last."""
    with two_instances(engine_name, tmp_path) as exchange:
        first, _ = exchange.processes("transactions")
        wait_for_shares(exchange, 3, 3)
        with load(exchange, seconds=25):
            wait_for_requests(exchange)
            first.send_signal(signal.SIGSTOP)
            try:
                # After its session's timeout the other instance takes over, and after its transaction's goes on.
                wait_for_shares(exchange, 3, 6)
                decided = exchange.count("transactions")
                while exchange.count("transactions") < decided + RATE:
                    time.sleep(0.2)
            finally:
                first.send_signal(signal.SIGCONT)
            wait_for_shares(exchange, 3, 3)
        assert exchange.settled_audit()["sound"]


@contextmanager
def two_instances(engine_name, folder):
    if engine_name == "embedded":
        with Exchange(folder, "--instances=transactions=2") as exchange:
            yield exchange
        return
    from tailrace.testing.kafka import KafkaProcess

    with (
        KafkaProcess() as kafka,
        Exchange(folder, "--instances=transactions=2", bootstrap_servers=kafka.bootstrap_servers) as exchange,
    ):
        yield exchange


def wait_for_shares(exchange, *shares):
    """Wait until the instances say that they have so many tasks."""
    deadline = time.monotonic() + 60
    while (found := tuple(assigned_tasks(exchange, f"transactions-{n}") for n in (1, 2))) != shares:
        assert time.monotonic() < deadline, f"{found} instead of {shares}"
        time.sleep(0.2)


def assigned_tasks(exchange, name):
    """How many tasks an instance said it has when it was last assigned any."""
    lines = [line for line in exchange.log(name).splitlines() if "] assigned" in line]
    numbers = lines[-1].partition("tasks=[")[2].rstrip("]\n").strip() if lines else ""
    return len(numbers.split(",")) if numbers else 0


def test_a_second_exchange_is_refused_before_it_disturbs_the_first(exchange, tmp_path):
    """Its services would have the names of those that run, and fence them."""
    running = [process.pid for name in COMMANDS for process in exchange.processes(name)]
    status, said = run_up(exchange.folder, "--bootstrap-servers", exchange.bootstrap_servers)
    assert (status, said.count("\n")) == (2, 1), said
    assert f"{exchange.folder} is in use by another exchange" in " ".join(said.split())
    for option in (f"--port={exchange.port}", f"--registry-port={exchange.registry_port}"):
        status, said = run_up(tmp_path, "--bootstrap-servers", exchange.bootstrap_servers, option)
        assert (status, said.count("\n")) == (2, 1), said
        assert option.replace("=", " ").split()[1] in said
        assert said.endswith(f"with {option.partition('=')[0]}\n")
    assert [process.pid for name in COMMANDS for process in exchange.processes(name)] == running


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bootstrap-servers=127.0.0.1:9"], "127.0.0.1:9"),
        (["--instances=web=2"], "web=2"),
        (["--rates=astrology"], "astrology"),
        (["--accounts-db=postgresql+psycopg://nobody@127.0.0.1:9/none"], "127.0.0.1:9"),
    ],
    ids=["broker", "instances", "rates", "database"],
)
def test_what_cannot_work_is_one_clear_line_and_status_2(options, words, tmp_path):
    status, said = run_up(tmp_path, *options)
    assert status == 2, said
    assert words in said
    assert "Traceback" not in said


def run_up(folder, *options):
    from tailrace.testing.port import free_port

    ports = [f"--port={free_port()}", f"--kafka-port={free_port()}", f"--registry-port={free_port()}"]
    argv = [sys.executable, "-m", "agio", "up", f"--data={folder}", *ports, *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr
