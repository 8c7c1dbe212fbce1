"""Runs the jobs on each system."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.broker import client
from benchmarks.broker.systems import Server, System, cpu_s, memory_mib, systems
from benchmarks.report import Report, percentile, quick

MIB = 1 << 20


class Size(NamedTuple):
    """How much is done."""

    turns: int
    """Of each system at each job of throughput and latency; the median counts."""

    megabytes: int
    """In a turn; fewer with a slow codec and in small records."""

    latency_s: int
    transactions: int
    consumers: int
    deliveries: int
    memory_mib: int
    restart_mib: int
    codecs: tuple[str, ...]


SIZE = (
    Size(2, 60, 3, 100, 200, 20, 512, 256, ("none", "lz4"))
    if quick()
    else Size(5, 240, 5, 300, 1000, 50, 5120, 1024, ("none", "gzip", "snappy", "lz4", "zstd"))
)
SHAPES = [(100, 1), (100, 12), (1024, 1), (1024, 12)]
SMALL, SMALL_SHARE = 1000, 4
SLOW_CODECS = {"gzip": 6}
RATE = 1000


def throughput(report: Report, chosen: list[System]) -> None:
    """Produce and consume, by size of records, partitions and codec; the systems take turns."""
    with ExitStack() as stack:
        servers = {system.name: stack.enter_context(system.make()) for system in chosen}
        for codec in SIZE.codecs:
            for size, partitions in SHAPES:
                name = f"{size} B, {partitions} partition{'s' if partitions > 1 else ''}, {codec}"
                megabytes = SIZE.megabytes // (SLOW_CODECS.get(codec, 1) * (SMALL_SHARE if size < SMALL else 1))
                job: client.Job = {
                    "topic": f"{codec}-{size}-{partitions}",
                    "partitions": partitions,
                    "size": size,
                    "records": max(megabytes * MIB // size, 1000) // 1000 * 1000,
                    "compression": codec,
                }
                for server in servers.values():
                    client.create_topic(server.bootstrap_servers, job["topic"], partitions)
                for act in ("produce", "consume"):
                    for system, (seconds, cpu_seconds) in in_turns(servers, {"job": act} | job).items():
                        records, elapsed_s = job["records"], statistics.median(seconds)
                        report.add(name, system, act, round(records / elapsed_s / 1000), "1000 records/s")
                        report.add(name, system, act, round(records * size / elapsed_s / 1e6, 1), "MB/s")
                        used = statistics.median(cpu_seconds) / records * 1e6
                        report.add(name, system, f"{act}, broker's CPU", round(used, 3), "µs/record")
                for server in servers.values():
                    client.delete_topic(server.bootstrap_servers, job["topic"])


def in_turns(servers: dict[str, Server], job: client.Job) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of each time that each system did the job, and the seconds of processor time that it used."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in servers}
    for _ in range(SIZE.turns):
        for name, server in servers.items():
            before_s = cpu_s(server)
            found[name][0].append(client.run({"servers": server.bootstrap_servers} | job))
            found[name][1].append(cpu_s(server) - before_s)
    return found


def latency(report: Report, chosen: list[System]) -> None:
    """Acknowledgements at a steady rate, and commits of small transactions; the systems take turns."""
    with ExitStack() as stack:
        servers = {system.name: stack.enter_context(system.make()) for system in chosen}
        for server in servers.values():
            client.create_topic(server.bootstrap_servers, "latency", 12)
        jobs = {
            f"acknowledgement at {RATE:,}/s": {"job": "acknowledgements", "seconds": SIZE.latency_s},
            "transaction": {"job": "transactions", "records": SIZE.transactions},
        }
        for name, more in jobs.items():
            os.sync()  # what other jobs left to be written is none of this one's business
            found: dict[str, list[float]] = {system: [] for system in servers}
            for _ in range(SIZE.turns):
                for system, server in servers.items():
                    job = {"servers": server.bootstrap_servers, "topic": "latency", "partitions": 12, "rate": RATE}
                    found[system] += client.run(job | more)
            for system, latencies in found.items():
                report.add(name, system, "p50", round(percentile(latencies, 0.5) * 1000, 2), "ms")
                report.add(name, system, "p99", round(percentile(latencies, 0.99) * 1000, 2), "ms")


def crowd(report: Report, system: System) -> None:
    """Many consumers that wait for the same records."""
    with system.make() as server:
        client.create_topic(server.bootstrap_servers, "crowd", 1)
        job = {
            "servers": server.bootstrap_servers,
            "topic": "crowd",
            "consumers": SIZE.consumers,
            "records": SIZE.deliveries,
        }
        argv = [sys.executable, "-m", "benchmarks.broker.crowd"]
        done = subprocess.run(argv, input=json.dumps(job), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the consumers failed:\n{done.stderr[-3000:]}")
        latencies = json.loads(done.stdout)["latencies"]
        name = f"{SIZE.consumers:,} consumers"
        report.add(name, system.name, "delivery, p50", round(percentile(latencies, 0.5) * 1000, 2), "ms")
        report.add(name, system.name, "delivery, p99", round(percentile(latencies, 0.99) * 1000, 2), "ms")
        report.add(name, system.name, "memory", round(memory_mib(server)), "MiB")


def fill(server: Server, mebibytes: int) -> None:
    """Write that much into a topic."""
    client.create_topic(server.bootstrap_servers, "fill", 4)
    client.run(
        {
            "job": "produce",
            "servers": server.bootstrap_servers,
            "topic": "fill",
            "partitions": 4,
            "size": 1024,
            "records": mebibytes * MIB // 1024 // 1000 * 1000,
            "compression": "none",
        }
    )


def life(report: Report, system: System) -> None:
    """Start, memory, and restarts with a log."""
    server = system.make()
    try:
        for metric in ("with a new directory", "once more"):
            started = time.perf_counter()
            server.start()
            report.add("start", system.name, metric, round(time.perf_counter() - started, 2), "s")
            if metric == "with a new directory":
                time.sleep(2)
                report.add("memory", system.name, "idle", round(memory_mib(server)), "MiB")
                server.stop()
        fill(server, SIZE.restart_mib)
        for metric, end in (("clean stop", server.stop), ("kill", server.kill)):
            end()
            started = time.perf_counter()
            server.start()
            name = f"after a {metric}, with {SIZE.restart_mib:,} MiB of log"
            report.add("start", system.name, name, round(time.perf_counter() - started, 2), "s")
            client.create_topic(server.bootstrap_servers, f"after-{metric.replace(' ', '-')}", 1)
    finally:
        server.kill()
    with system.make() as server:
        fill(server, SIZE.memory_mib)
        report.add("memory", system.name, f"after {SIZE.memory_mib:,} MiB", round(memory_mib(server)), "MiB")


def disk(report: Report) -> None:
    """What the machine's disk gives: a long sequential write, and small synced ones."""
    with tempfile.TemporaryDirectory() as folder:
        descriptor = os.open(Path(folder) / "file", os.O_CREAT | os.O_WRONLY)
        block = os.urandom(MIB)
        started = time.perf_counter()
        for _ in range(SIZE.restart_mib):
            os.write(descriptor, block)
        os.fdatasync(descriptor)
        elapsed_s = time.perf_counter() - started
        report.add("disk", "raw", "sequential write", round(SIZE.restart_mib * MIB / elapsed_s / 1e6), "MB/s")
        latencies = []
        for number in range(500):
            started = time.perf_counter()
            os.pwrite(descriptor, block[:4096], number * 4096)
            os.fdatasync(descriptor)
            latencies.append(time.perf_counter() - started)
        os.close(descriptor)
        report.add("disk", "raw", "4 KiB and fdatasync, p50", round(percentile(latencies, 0.5) * 1000, 2), "ms")
        report.add("disk", "raw", "4 KiB and fdatasync, p99", round(percentile(latencies, 0.99) * 1000, 2), "ms")


def one_by_one(job: Callable[[Report, System], None]) -> Callable[[Report, list[System]], None]:
    """A job for all systems, one after the other."""

    def run(report: Report, chosen: list[System]) -> None:
        for system in chosen:
            job(report, system)

    return run


JOBS: dict[str, Callable[[Report, list[System]], None]] = {
    "latency": latency,
    "crowd": one_by_one(crowd),
    "throughput": throughput,
    "life": one_by_one(life),
}


def main() -> None:
    """Run all jobs, or some."""
    parser = argparse.ArgumentParser(prog="make bench-broker", description=main.__doc__)
    parser.add_argument("--only", choices=[*JOBS, "disk"], action="append", help="jobs to run, all by default")
    parser.add_argument("--system", action="append", help="systems whose name has this in it, all by default")
    arguments = parser.parse_args()
    wanted = arguments.only or [*JOBS, "disk"]
    chosen = [each for each in systems() if not arguments.system or any(part in each.name for part in arguments.system)]
    report = Report("broker")
    if "disk" in wanted:
        disk(report)
    for name, job in JOBS.items():
        if name in wanted:
            job(report, chosen)
    report.finish()


if __name__ == "__main__":
    main()
