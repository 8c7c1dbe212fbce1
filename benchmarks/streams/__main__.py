"""Runs the jobs in each system: `make bench-streams`, `ARGS="--job fraud --system tailrace"`."""

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.commands import Run
from benchmarks.report import Report, percentile, quick
from benchmarks.streams import load
from benchmarks.streams.contracts import Account, Outcome, Paid, Payment, Request, serde
from benchmarks.streams.measure import PARTITIONS, START_TIMEOUT_S, Application, Output, latencies, rate, restart_s
from benchmarks.streams.systems import System, systems
from tailrace.client import Topic, consumer, ensure_topics, watermarks
from tailrace.registry.client import RegistryClient
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess
from tailrace.testing.registry import RegistryProcess

HEAP_MB = 1024
RATE = 1000
RESTART_LIMIT_S = 90.0
FILL_TIMEOUT_S = 3600.0
# What has piled up while a system started is gone by then, and the system's own JVM is warm.
SETTLE_S = 15.0
# For so long a broker's JVM compiles what it does all the time, half a processor's worth; at a steady rate for longer.
WARM_UP_S = 45.0
LIVE_WARM_UP_S = 75.0
FIRST_MS = 1_700_000_000_000
# Of the backlog: as many records in a millisecond, so that windows of a minute have many keys and close now and then.
PER_MS = 20


class Size(NamedTuple):
    """How much is done."""

    records: int
    warm_up_s: float
    seconds: float
    latency_s: float
    many_accounts: int
    accounts: int = 100_000


SIZE = Size(1_000_000, 2, 10, 5, 1_000_000) if quick() else Size(2_000_000, 5, 20, 20, 10_000_000)


@dataclass(frozen=True)
class Job:
    """A job: the classes of its records, and the share of records that have an output."""

    name: str
    input: type | None
    output: type | None
    share: float = 1.0
    table: type | None = None


JOBS = {
    job.name: job
    for job in (
        Job("fraud", Payment, Payment, 0.2),
        Job("ledger", Request, Outcome),
        Job("windows", None, None),
        Job("join", Payment, Paid, table=Account),
    )
}


@dataclass
class Engine:
    """A broker with a registry, and the topics that are on it."""

    name: str
    bootstrap_servers: str
    registry: RegistryClient
    registry_url: str
    folder: Path
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def topic(self, name: str, kind: type | None) -> str:
        """Make a topic for values of a class."""
        ensure_topics(self.bootstrap_servers, [Topic(name, PARTITIONS, {"retention.ms": "-1"})])
        if kind is not None:
            _ = serde(self.registry, name, kind).schema_id
        return name

    def table(self, job: Job) -> str | None:
        """Make and fill the table of a job."""
        if job.table is None:
            return None
        topic = self.topic(f"{job.name}-table", job.table)
        owners = load.owners(self.registry, topic, SIZE.accounts)
        load.send(self.bootstrap_servers, topic, owners, SIZE.accounts, FIRST_MS - 1000, SIZE.accounts)
        return topic

    def backlog(self, job: Job) -> str:
        """Make and fill the input of a job."""
        topic = self.topic(f"{job.name}-in", job.input)
        records = load.INPUTS[job.name](self.registry, topic, SIZE.accounts)
        load.send(self.bootstrap_servers, topic, records, SIZE.records, FIRST_MS, PER_MS)
        return topic

    def large_backlog(self) -> str:
        """Make and fill the input of a ledger: a deposit of each of many accounts, and then as always."""
        topic = self.topic("ledger-large-in", Request)
        records = load.requests(self.registry, topic, SIZE.many_accounts, fill=True)
        load.send(self.bootstrap_servers, topic, records, SIZE.many_accounts + SIZE.records, FIRST_MS, PER_MS)
        return topic

    def count(self, topic: str) -> int:
        """How many records a topic has that was filled without transactions."""
        reader = consumer(self.bootstrap_servers, "benchmark")
        try:
            return sum(watermarks(reader, topic, number)[1] for number in range(PARTITIONS))
        finally:
            reader.close()

    def steady_load(self, job: Job, topic: str, accounts: int, first: int = 0) -> load.SteadyLoad:
        """Records at the rate for latencies; see SteadyLoad."""
        return load.SteadyLoad(self.bootstrap_servers, self.registry_url, job.name, topic, accounts, RATE, first)

    def application(self, system: System, job: Job, source: str, table: str | None) -> tuple[Application, Output]:
        """A system at a job, with an output and a state of its own."""
        name = f"{job.name}-{system.slug}-{next(self.numbers)}"
        sink = self.topic(f"{name}-out", job.output)
        state = self.folder / name
        shutil.rmtree(state, ignore_errors=True)
        run = Run(job.name, self.bootstrap_servers, self.registry_url, name, source, sink, state, table)
        application = Application(system.argv(run), self.folder / f"{name}.log")
        return application, Output(self.bootstrap_servers, sink)


def throughput(report: Report, engine: Engine, job: Job, system: System, source: str, table: str | None) -> None:
    """How fast the backlog is worked off, and what that costs."""
    application, output = engine.application(system, job, source, table)
    share = 1.0 if system.is_copy else job.share
    expected = round(SIZE.records * share * 0.99)
    with output, report.stolen(job.name, system.name), application:
        found = rate(application, output, expected, SIZE.warm_up_s, SIZE.seconds)
    report.add(job.name, system.name, "throughput", found.per_s / share, "records/s")
    report.add(job.name, system.name, "processor time", found.cpu_s * share * 1e6, "µs/record")
    report.add(job.name, system.name, "peak memory", application.peak_memory / 2**20, "MiB")


def warm_up(engine: Engine, job: Job, system: System, source: str, table: str | None) -> None:
    """Let a new broker do for a while what is measured then, or whoever comes first pays for its compiler."""
    share = 1.0 if system.is_copy else job.share
    deadline = time.monotonic() + WARM_UP_S
    while (left_s := deadline - time.monotonic()) > 0:
        application, output = engine.application(system, job, source, table)
        with output, application:
            output.wait_for(round(SIZE.records * share * 0.99), left_s, application.check)


def latency(report: Report, engine: Engine, job: Job, system: System, table: str | None) -> None:
    """How long single records take at a steady rate, and how long a crash interrupts them."""
    with under_load(engine, f"{job.name}-{system.slug}-live", job, system, table) as (application, output):
        steady(report, job.name, system, application, output)


def warm_up_live(engine: Engine, job: Job, system: System, table: str | None) -> None:
    """As `warm_up`, for latencies."""
    with under_load(engine, f"{job.name}-warm-up", job, system, table) as (_, output):
        latencies(output, LIVE_WARM_UP_S)


@contextmanager
def under_load(
    engine: Engine, topic: str, job: Job, system: System, table: str | None
) -> Iterator[tuple[Application, Output]]:
    """A system at a job, at a steady rate, from its first output on."""
    source = engine.topic(topic, job.input)
    application, output = engine.application(system, job, source, table)
    with output, engine.steady_load(job, source, SIZE.accounts), application:
        output.wait_for(1, START_TIMEOUT_S, application.check)
        yield application, output


def large_state(report: Report, engine: Engine, system: System, source: str) -> None:
    """The ledger with many accounts: how fast it is when all are there, and how soon it is back after a crash."""
    job, title = JOBS["ledger"], f"ledger of {SIZE.many_accounts:,}"
    application, output = engine.application(system, job, source, None)
    # The load of the system before is there, too.
    sent = engine.count(source)
    with output, application:
        begun = time.monotonic()
        output.wait_for(SIZE.many_accounts, FILL_TIMEOUT_S, application.check)
        report.add(title, system.name, "filling", SIZE.many_accounts / (time.monotonic() - begun), "records/s")
        expected = round(SIZE.many_accounts + SIZE.records * 0.99)
        with report.stolen(title, system.name):
            found = rate(application, output, expected, SIZE.warm_up_s, SIZE.seconds)
        report.add(title, system.name, "throughput", found.per_s, "records/s")
        report.add(title, system.name, "processor time", found.cpu_s * 1e6, "µs/record")
        report.add(title, system.name, "peak memory", application.peak_memory / 2**20, "MiB")
        output.wait_for(sent, FILL_TIMEOUT_S, application.check)
        first = sent + next(engine.numbers) * 10**6
        with engine.steady_load(job, source, SIZE.many_accounts, first):
            steady(report, title, system, application, output)


def steady(report: Report, title: str, system: System, application: Application, output: Output) -> None:
    """Latencies under a steady load, and then a crash."""
    latencies(output, SETTLE_S)
    found = latencies(output, SIZE.latency_s)
    for share in (50, 99) if found else ():
        value = percentile(found, share / 100)
        report.add(title, system.name, f"latency at {RATE:,}/s, p{share}", value, "ms")
    report.add(title, system.name, "restart after kill -9", restart_s(application, output, RESTART_LIMIT_S), "s")


@contextmanager
def told_when_it_fails(system: System) -> Iterator[None]:
    """Go on with the next system where one ends by itself."""
    try:
        yield
    except RuntimeError as failure:
        print(f"{system.name} FAILED: {failure}", flush=True)


def main() -> None:
    """Run what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=JOBS, action="append", help="only this job; may be repeated")
    parser.add_argument("--system", action="append", help="only this system; may be repeated")
    parser.add_argument("--only", choices=("throughput", "latency", "large-state"))
    parser.add_argument("--engine", choices=("embedded", "apache"), action="append")
    wanted = parser.parse_args()
    report = Report("streams")
    jobs = [JOBS[name] for name in wanted.job or JOBS]
    for name in wanted.engine or ["embedded", "apache"]:
        chosen = [s for s in systems(name) if wanted.system is None or s.slug in wanted.system]
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-streams-")))
            server = stack.enter_context(BrokerProcess() if name == "embedded" else KafkaProcess(heap_mb=HEAP_MB))
            registry = stack.enter_context(RegistryProcess(server.bootstrap_servers))
            client = RegistryClient(registry.url)
            engine = Engine(name, server.bootstrap_servers, client, registry.url, folder)
            for job in jobs:
                run(report, engine, job, chosen, wanted.only, is_first=job is jobs[0])
            if wanted.only in (None, "large-state") and JOBS["ledger"] in jobs:
                source = engine.large_backlog()
                for system in (each for each in chosen if each.is_quick):
                    with told_when_it_fails(system):
                        large_state(report, engine, system, source)
    report.finish()


def run(
    report: Report, engine: Engine, job: Job, chosen: Sequence[System], only: str | None, *, is_first: bool
) -> None:
    """One job in each system."""
    able = [system for system in chosen if job.name in system.jobs]
    table = engine.table(job)
    if only in (None, "throughput"):
        source = engine.backlog(job)
        if is_first and able:
            with told_when_it_fails(able[0]):
                warm_up(engine, job, able[0], source, table)
        for system in able:
            with told_when_it_fails(system):
                throughput(report, engine, job, system, source, table)
    if only in (None, "latency"):
        if is_first and able:
            with told_when_it_fails(able[0]):
                warm_up_live(engine, job, able[0], table)
        for system in able:
            with told_when_it_fails(system):
                latency(report, engine, job, system, table)


if __name__ == "__main__":
    main()
