"""Runs the jobs on each system."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.broker import client
from benchmarks.broker.systems import Server, System, cpu_s, memory_mib, systems
from benchmarks.report import Report, quick

MIB = 1 << 20


class Size(NamedTuple):
    """How much is done."""

    megabytes: int
    """Per throughput job and codec."""

    latency_s: int
    transactions: int
    consumers: int
    deliveries: int
    memory_mib: int
    restart_mib: int
    codecs: tuple[str, ...]


SIZE = (
    Size(60, 5, 200, 200, 20, 512, 256, ("none", "lz4"))
    if quick()
    else Size(300, 20, 1000, 1000, 50, 5120, 1024, ("none", "gzip", "snappy", "lz4", "zstd"))
)
SHAPES = [(100, 1), (100, 12), (1024, 1), (1024, 12)]
RATE = 1000


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1]


def throughput(report: Report, system: System) -> None:
    """Produce and consume, by size of records, partitions and codec."""
    with system.make() as server:
        servers = server.bootstrap_servers
        for codec in SIZE.codecs:
            for size, partitions in SHAPES:
                records = max(SIZE.megabytes * MIB // (size * 4 if size < 1000 else size), 1000) // 1000 * 1000
                topic = f"{codec}-{size}-{partitions}"
                client.create_topic(servers, topic, partitions)
                job: client.Job = {
                    "servers": servers,
                    "topic": topic,
                    "partitions": partitions,
                    "size": size,
                    "records": records,
                    "compression": codec,
                }
                name = f"{size} B, {partitions} partition{'s' if partitions > 1 else ''}, {codec}"
                for act in ("produce", "consume"):
                    before_s = cpu_s(server)
                    elapsed_s = client.run({"job": act} | job)
                    report.add(name, system.name, act, round(records / elapsed_s / 1000), "1000 records/s")
                    report.add(name, system.name, act, round(records * size / elapsed_s / 1e6, 1), "MB/s")
                    used = (cpu_s(server) - before_s) / records * 1e6
                    report.add(name, system.name, f"{act}, broker's CPU", round(used, 3), "µs/record")


def latency(report: Report, system: System) -> None:
    """Acknowledgements at a steady rate, and commits of small transactions."""
    with system.make() as server:
        servers = server.bootstrap_servers
        client.create_topic(servers, "latency", 12)
        job: client.Job = {"servers": servers, "topic": "latency", "partitions": 12, "rate": RATE}
        jobs = {
            f"acknowledgement at {RATE:,}/s": {"job": "acknowledgements", "seconds": SIZE.latency_s},
            "transaction": {"job": "transactions", "records": SIZE.transactions},
        }
        for name, more in jobs.items():
            with report.stolen(name, system.name):
                latencies = client.run(job | more)
            report.add(name, system.name, "p50", round(percentile(latencies, 0.5) * 1000, 2), "ms")
            report.add(name, system.name, "p99", round(percentile(latencies, 0.99) * 1000, 2), "ms")


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


JOBS: dict[str, Callable[[Report, System], None]] = {
    "throughput": throughput,
    "latency": latency,
    "crowd": crowd,
    "life": life,
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
            for system in chosen:
                job(report, system)
    report.finish()


if __name__ == "__main__":
    main()
