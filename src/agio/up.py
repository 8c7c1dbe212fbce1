"""`agio up`: the whole exchange on one machine, each part a process of its own, kept running until Ctrl-C."""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agio.services import SERVICES
from tailrace.client import wait_for_broker
from tailrace.deploy.process import ProcessSpec
from tailrace.deploy.ready import answering, listening, never
from tailrace.deploy.supervisor import Supervisor
from tailrace.directory_lock import DirectoryLock
from tailrace.listening import take_address

HOST = "127.0.0.1"

# What stops first has the higher number: nothing outlives what it depends on.
BROKER, REGISTRY, SERVICE = 0, 1, 2


@dataclass(frozen=True)
class Plan:
    """What to start; `instances` as given, such as `transactions=2`. Raises ValueError for what makes no sense."""

    data: Path = Path("data")
    port: int = 8080
    kafka_port: int = 9092
    registry_port: int = 8081
    bootstrap_servers: str | None = None
    schema_registry: str | None = None
    accounts_db: str | None = None
    rates: str = "ecb"
    monolith: bool = False
    instances: tuple[str, ...] = ()

    @property
    def kafka(self) -> str:
        """Bootstrap address of the cluster that is used."""
        return self.bootstrap_servers or f"{HOST}:{self.kafka_port}"

    @property
    def registry(self) -> str:
        """URL of the registry that is used."""
        return self.schema_registry or f"http://{HOST}:{self.registry_port}"

    def ports(self) -> dict[int, str]:
        """The ports that our processes listen on, with the options that choose them."""
        ports = {self.port: "--port"}
        if self.bootstrap_servers is None:
            ports[self.kafka_port] = "--kafka-port"
        if self.schema_registry is None:
            ports[self.registry_port] = "--registry-port"
        return ports

    def platform(self) -> list[ProcessSpec]:
        """The broker and the registry, as far as they are ours."""
        specs = []
        if self.bootstrap_servers is None:
            data = str(self.data / "broker")
            argv = _python("tailrace.broker", "--data", data, "--port", str(self.kafka_port))
            specs.append(ProcessSpec("broker", argv, ready=listening(self.kafka_port), stop_group=BROKER))
        if self.schema_registry is None:
            argv = _python("tailrace.registry", "--bootstrap-servers", self.kafka, "--port", str(self.registry_port))
            ready = answering(f"{self.registry}/subjects")
            specs.append(ProcessSpec("registry", argv, ready=ready, stop_group=REGISTRY))
        return specs

    def setup(self) -> ProcessSpec:
        """What creates topics and registers contracts, and then ends."""
        argv = _python("agio", "setup", "--bootstrap-servers", self.kafka, "--schema-registry", self.registry)
        return ProcessSpec("setup", argv, ready=never, stop_group=SERVICE, restart=False)

    def services(self) -> list[ProcessSpec]:
        """The services, each as often as is wanted."""
        if self.monolith:
            return [self._service("all", "monolith", 1)]
        counts = self.counts()
        return [
            self._service(name, name if counts[name] == 1 else f"{name}-{number}", number)
            for name in SERVICES
            for number in range(1, counts[name] + 1)
        ]

    def counts(self) -> dict[str, int]:
        """How many instances of each service. Raises ValueError for these and other options that make no sense."""
        if self.rates not in ("ecb", "coinbase", "kraken"):
            raise ValueError(f"--rates {self.rates}: expected ecb, coinbase or kraken")
        counts = dict.fromkeys(SERVICES, 1)
        for text in self.instances:
            name, _, count = text.partition("=")
            if name not in ("transactions", "wallets") or not count.isdecimal() or not 1 <= int(count) <= 6:
                raise ValueError(
                    f"--instances {text}: expected transactions=N or wallets=N with N from 1 to 6, "
                    "the number of partitions that they share"
                )
            counts[name] = int(count)
        if self.monolith and self.instances:
            raise ValueError("--monolith runs one instance of everything; --instances does not go with it")
        return counts

    def _service(self, service: str, name: str, instance: int) -> ProcessSpec:
        options = {
            "--bootstrap-servers": self.kafka,
            "--schema-registry": self.registry,
            "--data": str(self.data),
            "--instance": str(instance),
            "--port": str(self.port),
            "--rates": self.rates,
            "--accounts-db": self.accounts_db,
        }
        given = [word for option, value in options.items() if value is not None for word in (option, value)]
        ready = answering(f"http://{HOST}:{self.port}/health/ready") if service in ("web", "all") else None
        return ProcessSpec(name, _python("agio", "serve", service, *given), ready=ready, stop_group=SERVICE)


def run(plan: Plan) -> int:
    """Start everything and keep it running; the exit status. Raises what `agio.trouble` knows.

    What another exchange has is noticed before anything starts: its services would be fenced by ours.
    """
    plan.counts()
    lock = DirectoryLock(plan.data, "exchange")
    lock.acquire()
    for port, option in plan.ports().items():
        take_address(HOST, port, option).close()
    if plan.bootstrap_servers is not None:
        wait_for_broker(plan.bootstrap_servers, timeout_s=5.0)
    try:
        return asyncio.run(_supervise(plan))
    finally:
        lock.release()


async def _supervise(plan: Plan) -> int:
    console = Console(highlight=False)
    begun = time.monotonic()
    console.print("starting the exchange …")
    async with Supervisor(plan.data, show=lambda line: console.print(line, markup=False, soft_wrap=True)) as supervisor:
        # All at once: importing is most of a start, and services wait for what they need by themselves.
        _, is_open = await asyncio.gather(_prepare(plan, supervisor), supervisor.start(plan.services()))
        if is_open:
            _tell(console, plan, supervisor, time.monotonic() - begun)
        return await supervisor.wait()


async def _prepare(plan: Plan, supervisor: Supervisor) -> None:
    if await supervisor.start(plan.platform()):
        await supervisor.start([plan.setup()])


def _tell(console: Console, plan: Plan, supervisor: Supervisor, seconds: float) -> None:
    addresses = {"broker": plan.kafka, "registry": plan.registry, "web": f"http://{HOST}:{plan.port}"}
    addresses["monolith"] = addresses["web"]
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "pid", "address", "log"):
        table.add_column(heading)
    for process in supervisor.status():
        if process.pid is None:
            continue
        log = plan.data / "logs" / f"{process.name}.log"
        table.add_row(process.name, str(process.pid), addresses.get(process.name, ""), str(log))
    console.print(table)
    console.print(f"\nThe exchange is open at [bold]{addresses['web']}[/bold] (ready after {seconds:.1f} s).")
    console.print("Ctrl-C stops everything; nothing is lost.")


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
