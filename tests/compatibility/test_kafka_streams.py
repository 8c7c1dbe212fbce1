"""A Kafka Streams application with exactly_once_v2, killed and restarted, as is the broker under it.

Every count of every value has to come out once and in order, so the output says by itself whether anything was lost or
done twice.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess, kafka_home
from tailrace.testing.server_process import ServerProcess

from .conftest import Clients
from .java_tools import SOURCES

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
VALUES = [b"value-%d" % number for number in range(20)]
ROUNDS = 2
PER_ROUND = 2000
GIVE_UP_S = 90.0


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled application."""
    target = tmp_path_factory.mktemp("classes")
    command = ["javac", "-cp", f"{kafka_home()}/libs/*", "-d", str(target), str(SOURCES / "CountApp.java")]
    subprocess.run(command, check=True)
    return target


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end."""
    with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()


class Output:
    """The counts that a consumer has seen."""

    def __init__(self, clients: Clients, topic: str) -> None:
        self._consumer = clients.consumer()  # of no group, which could forget it while the broker is away
        self._consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in range(2)])
        self.counts: dict[bytes, list[int]] = {value: [] for value in VALUES}

    @property
    def total(self) -> int:
        return sum(map(len, self.counts.values()))

    def read_until(self, total: int, log: Path) -> None:
        give_up_at = time.monotonic() + GIVE_UP_S
        while self.total < total:
            assert time.monotonic() < give_up_at, f"{self.total} of {total} counts\n{log.read_text()[-3000:]}"
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.counts[message.key()].append(int(message.value()))


@pytest.fixture(params=["embedded", "apache"])
def own_engine(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with BrokerProcess() if request.param == "embedded" else KafkaProcess() as process:
        yield process


def test_counts_are_exact_whatever_is_killed(
    own_engine: BrokerProcess | KafkaProcess, unique: Callable[[str], str], classes: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        clients = Clients(own_engine, unique, stack)
        source, sink, windowed = clients.topic(partitions=2), clients.topic(partitions=2), clients.topic(partitions=2)
        arguments = [own_engine.bootstrap_servers, unique("count"), source, sink, windowed, str(tmp_path / "state")]
        java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR"]
        command = [*java, "-cp", f"{classes}:{kafka_home()}/libs/*", "CountApp", *arguments]
        log = tmp_path / "log"
        log.touch()
        outputs = [Output(clients, sink), Output(clients, windowed)]
        producer = clients.producer()

        def produce_round() -> None:
            for number in range(PER_ROUND):
                producer.produce(source, VALUES[number % len(VALUES)], b"%d" % number)
            assert producer.flush(GIVE_UP_S) == 0

        # Each round, something is killed while the application is in the middle of the round's records.
        for round_number in range(ROUNDS):
            with running(command, log):
                done = round_number * PER_ROUND
                produce_round()
                outputs[0].read_until(done + PER_ROUND // 10, log)
                if round_number == 1:
                    own_engine.kill()
                    own_engine.start()
        with running(command, log):
            for output in outputs:
                output.read_until(ROUNDS * PER_ROUND, log)
        expected = list(range(1, ROUNDS * PER_ROUND // len(VALUES) + 1))
        for output in outputs:
            assert output.counts == dict.fromkeys(VALUES, expected)
