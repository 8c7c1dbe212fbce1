"""What is compared: the embedded broker with Kafka's way of flushing and with its own, and Apache Kafka as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import psutil

from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess

KAFKA_HEAP_MB = 1024
Server = BrokerProcess | KafkaProcess


class System(NamedTuple):
    """Something that can be started, by name."""

    name: str
    make: Callable[[], Server]


def systems() -> list[System]:
    """Those that this machine has."""
    found = [
        System("embedded, --flush kafka", lambda: BrokerProcess(options=["--flush", "kafka"])),
        System("embedded, fsync", BrokerProcess),
    ]
    if KafkaProcess.available() is None:
        found.append(System("Apache Kafka", lambda: KafkaProcess(heap_mb=KAFKA_HEAP_MB)))
    return found


def memory_mib(server: Server) -> float:
    """Resident memory of a server's process."""
    return float(psutil.Process(server.pid).memory_info().rss / 2**20)


def cpu_s(server: Server) -> float:
    """Processor time that a server has used so far."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)
