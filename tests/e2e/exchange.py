"""A whole exchange for a test: `agio up` as a user would start it, and customers that use its HTTP API."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tailrace.client import consumer, watermarks
from tailrace.testing.port import free_port

READY_TIMEOUT_S = 60.0
SETTLED_WITHIN_S = 60
COMMANDS = {
    "broker": "tailrace.broker",
    "registry": "tailrace.registry",
    **{name: f"serve {name}" for name in ("rates", "accounts", "transactions", "wallets", "web")},
}


class Exchange:
    """`agio up` on free ports; on the embedded broker unless `bootstrap_servers` are given."""

    def __init__(self, folder: Path, *options: str, bootstrap_servers: str | None = None) -> None:
        self.folder = folder
        self.port, self.kafka_port, self.registry_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.bootstrap_servers = bootstrap_servers or f"127.0.0.1:{self.kafka_port}"
        self.registry = f"http://127.0.0.1:{self.registry_port}"
        engine = ["--bootstrap-servers", bootstrap_servers] if bootstrap_servers else []
        self._options = [*engine, *options]

    def start(self) -> float:
        """Start and wait until it is ready; the seconds that took."""
        ports = [f"--port={self.port}", f"--kafka-port={self.kafka_port}", f"--registry-port={self.registry_port}"]
        argv = [sys.executable, "-m", "agio", "up", f"--data={self.folder}", *ports, *self._options]
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with (self.folder / "up.log").open("ab") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
        while not self.is_ready():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < begun + READY_TIMEOUT_S, self.said()
            time.sleep(0.05)
        return time.monotonic() - begun

    def stop(self) -> float:
        """Press Ctrl-C; the seconds until everything had ended."""
        begun = time.monotonic()
        processes = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.said()
        assert not [process for process in processes if process.is_running()]
        return time.monotonic() - begun

    def __enter__(self) -> "Exchange":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def said(self) -> str:
        """What `agio up` printed."""
        return (self.folder / "up.log").read_text()

    def log(self, name: str) -> str:
        """What a process logged."""
        return (self.folder / "logs" / f"{name}.log").read_text()

    def processes(self, name: str) -> list[psutil.Process]:
        """The running processes of a service, in the order of their instances."""
        found = []
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                words = process.cmdline()
                if COMMANDS[name] in " ".join(words):
                    found.append((words, process))
        return [process for _, process in sorted(found, key=lambda pair: pair[0])]

    def count(self, topic: str) -> int:
        """How many offsets a topic has used."""
        reader = consumer(self.bootstrap_servers, "none")
        partitions = reader.list_topics(topic, timeout=60).topics[topic].partitions
        ends = (watermarks(reader, topic, number) for number in partitions)
        total = sum(end - start for start, end in ends)
        reader.close()
        return total

    def command(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start an `agio` command on this exchange's cluster."""
        where = [f"--bootstrap-servers={self.bootstrap_servers}", f"--schema-registry={self.registry}"]
        return subprocess.Popen(
            [sys.executable, "-m", "agio", *arguments, *where],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def audit(self, *options: str) -> dict:
        """Run `agio audit --json`; its findings, which have to be sound."""
        output, problem = self._audit(*options)
        assert problem is None, problem
        return json.loads(output)

    def settled_audit(self) -> dict:
        """The findings when nothing is under way any more; only wallets may take a moment to get there."""
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while True:
            output, problem = self._audit("--settled")
            findings = json.loads(output)
            if problem is None:
                return findings
            violated = {name: rule["violated"] for name, rule in findings["rules"].items() if rule["violated"]}
            assert violated == {"wallets": findings["wallets_behind"]}, problem
            assert time.monotonic() < deadline, problem

    def wait_until_decided(self) -> None:
        """Wait until each request that was sent has its outcome."""
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while pending := self.audit()["pending"]:
            assert time.monotonic() < deadline, f"{pending} requests are still pending"

    def _audit(self, *options: str) -> tuple[str, str | None]:
        process = self.command("audit", "--json", *options)
        output, errors = process.communicate(timeout=120)
        return output, None if process.returncode == 0 else output + errors

    def customer(self, username: str, home_currency: str = "EUR") -> "Customer":
        """Sign up and wait until the account is active."""
        customer = Customer(self.url, username)
        customer.sign_up(home_currency)
        return customer


class Customer:
    """Somebody with a browser of their own."""

    def __init__(self, url: str, username: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        self.username = username

    def sign_up(self, home_currency: str = "EUR") -> None:
        body = {
            "username": self.username,
            "password": f"{self.username}-pass-phrase",
            "name": self.username.title(),
            "home_currency": home_currency,
        }
        answer = self.http.post("/api/accounts", json=body)
        assert answer.status_code == 201, answer.text
        deadline = time.monotonic() + 60
        while self.http.get("/api/account").json()["status"] != "active":
            assert time.monotonic() < deadline, "the account does not become active"
            time.sleep(0.05)

    def log_in(self) -> None:
        body = {"username": self.username, "password": f"{self.username}-pass-phrase"}
        answer = self.http.post("/api/session", json=body)
        assert answer.is_success, answer.text

    def ask(self, what: str, key: str | None = None, **body: str) -> str:
        """Post a request, which is accepted; its id."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.http.post(f"/api/{what}", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["transaction_id"]

    def outcome(self, transaction_id: str) -> dict:
        """Wait until a request is decided; what became of it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = self.http.get(f"/api/transactions/{transaction_id}", params={"wait": 10})
            assert answer.status_code == 200, answer.text
            if answer.json()["status"] != "pending":
                return answer.json()
        raise AssertionError(f"{transaction_id} is still pending")

    def deposit(self, amount: str, currency: str) -> dict:
        return self.outcome(self.ask("deposits", amount=amount, currency=currency))

    def exchange(self, sell_amount: str, sell: str, buy: str, **more: str) -> dict:
        return self.outcome(self.ask("exchanges", sell=sell, buy=buy, sell_amount=sell_amount, **more))

    def withdraw(self, amount: str, currency: str, iban: str = "DE89370400440532013000") -> dict:
        return self.outcome(self.ask("withdrawals", amount=amount, currency=currency, iban=iban))

    def wallet(self) -> dict:
        return self.http.get("/api/wallet").json()

    def balances(self) -> dict[str, str]:
        return {entry["currency"]: entry["amount"] for entry in self.wallet()["balances"]}
