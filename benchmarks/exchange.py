"""The whole exchange on each engine: start, memory when idle, throughput, latency, and an audit of what was done.

make bench-exchange            QUICK=1 make bench-exchange
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Report, quick
from tailrace.testing.kafka import KafkaProcess
from tailrace.testing.port import free_port

START_TIMEOUT_S = 60
SETTLE_TIMEOUT_S = 120


@dataclass(frozen=True)
class Size:
    """How much is done."""

    warm_up: int
    transactions: int
    latency_s: int
    idle_s: int
    accounts: int = 500


SIZE = Size(2_000, 20_000, 10, 3) if quick() else Size(10_000, 200_000, 60, 10)


class Exchange:
    """A running exchange and its addresses."""

    def __init__(self, data: Path, bootstrap_servers: str | None) -> None:
        self.web_port, registry_port, kafka_port = free_port(), free_port(), free_port()
        self.bootstrap_servers = bootstrap_servers or f"127.0.0.1:{kafka_port}"
        self._clients = [
            "--bootstrap-servers",
            self.bootstrap_servers,
            "--schema-registry",
            f"http://127.0.0.1:{registry_port}",
        ]
        ports = {"--port": self.web_port, "--kafka-port": kafka_port, "--registry-port": registry_port}
        self.argv = [sys.executable, "-m", "agio", "up", "--data", str(data)]
        self.argv += [str(word) for option in ports.items() for word in option]
        if bootstrap_servers is not None:
            self.argv += ["--bootstrap-servers", bootstrap_servers]

    def run(self, command: str, *options: str) -> Any:
        """Run `agio load` or `agio audit` and give what it says as JSON."""
        argv = [sys.executable, "-m", "agio", command, *self._clients, *options, "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"agio {command} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def is_ready(self) -> bool:
        """Whether customers are served."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/health/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running(exchange: Exchange, log: Path) -> Iterator[psutil.Process]:
    """Start the exchange, wait until it is ready, and stop it at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(exchange.argv, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not exchange.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the exchange did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def memory_by_process(supervisor: psutil.Process) -> dict[str, float]:
    """Resident memory in MiB of each process of the exchange."""
    memory: Counter[str] = Counter()
    for process in [supervisor, *supervisor.children(recursive=True)]:
        memory[_name(process.cmdline())] += process.memory_info().rss / 2**20
    return dict(memory)


def _name(argv: list[str]) -> str:
    if "serve" in argv:
        return argv[argv.index("serve") + 1]
    for module in ("tailrace.broker", "tailrace.registry"):
        if module in argv:
            return module.removeprefix("tailrace.")
    return "supervisor" if "up" in argv else "other"


def measure(report: Report, system: str, bootstrap_servers: str | None, engine: psutil.Process | None) -> None:
    """Run all jobs on one engine. `engine`: its process when it is none of the exchange's own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        exchange = Exchange(Path(folder) / "data", bootstrap_servers)
        begun = time.monotonic()
        with running(exchange, Path(folder) / "up.log") as supervisor:
            report.add("start", system, "until ready", round(time.monotonic() - begun, 2), "s")
            time.sleep(SIZE.idle_s)
            memory = memory_by_process(supervisor)
            if engine is not None:
                memory["broker"] = engine.memory_info().rss / 2**20
            for name, mib in memory.items():
                report.add("idle memory", system, name, round(mib, 1), "MiB")
            report.add("idle memory", system, "together", round(sum(memory.values()), 1), "MiB")
            _load(report, system, exchange)
            _audit(report, system, exchange)


def _load(report: Report, system: str, exchange: Exchange) -> None:
    accounts = "--accounts", str(SIZE.accounts)
    exchange.run("load", "--transactions", str(SIZE.warm_up), *accounts)
    with report.stolen("full speed", system):
        full = exchange.run("load", "--transactions", str(SIZE.transactions), *accounts)
    report.add("full speed", system, "outcomes", full["outcomes_per_s"], "1/s")
    report.add("full speed", system, "missing", full["missing"], "requests")
    with report.stolen("200 requests/s", system):
        steady = exchange.run("load", "--rate", "200", "--duration", str(SIZE.latency_s), *accounts)
    for name, latency in steady["latency_ms"].items():
        report.add("200 requests/s", system, f"latency {name}", latency, "ms")
    report.add("200 requests/s", system, "missing", steady["missing"], "requests")


def _audit(report: Report, system: str, exchange: Exchange) -> None:
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        begun = time.monotonic()
        findings = exchange.run("audit", "--settled")
        seconds = time.monotonic() - begun
        # Wallets follow the outcomes; only what is still behind after a while is a finding.
        if findings["sound"] or not findings["wallets_behind"] or time.monotonic() > deadline:
            break
        time.sleep(1)
    report.add("audit", system, "requests", findings["requests"], "requests")
    report.add("audit", system, "violations", sum(rule["violated"] for rule in findings["rules"].values()), "")
    report.add("audit", system, "time", round(seconds, 1), "s")


def main() -> None:
    """Measure every engine that is there."""
    report = Report("exchange")
    measure(report, "embedded broker", None, None)
    reason = KafkaProcess.available()
    if reason is None:
        with KafkaProcess() as kafka:
            measure(report, "Apache Kafka", kafka.bootstrap_servers, psutil.Process(kafka.pid))
    else:
        print(f"Apache Kafka is not measured: {reason}", file=sys.stderr)
    report.finish()


if __name__ == "__main__":
    main()
