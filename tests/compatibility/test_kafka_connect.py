"""A distributed worker of Kafka Connect: a file into a topic into a file, paused, killed, and without loss.

The worker writes its sources with exactly.once.source.support, so the topic has each line once; the sink is at least
once, as Connect's sinks are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess, kafka_home
from tailrace.testing.server_process import ServerProcess

from .conftest import Clients, Engine

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
GIVE_UP_S = 60.0


class ConnectWorker(ServerProcess):
    """One distributed worker; its REST interface is at `url`."""

    name = "Kafka Connect"
    start_timeout_s = 90

    def __init__(self, data_dir: Path, engine: Engine, group: str) -> None:
        super().__init__(data_dir)
        self._settings = {
            "bootstrap.servers": engine.bootstrap_servers,
            "group.id": group,
            "config.storage.topic": f"{group}-configs",
            "offset.storage.topic": f"{group}-offsets",
            "status.storage.topic": f"{group}-status",
            **{f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")},
            "offset.storage.partitions": "1",
            "status.storage.partitions": "1",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "exactly.once.source.support": "enabled",
            "offset.flush.interval.ms": "200",
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "500",
            "scheduled.rebalance.max.delay.ms": "0",
            "consumer.session.timeout.ms": "6000",
            "consumer.auto.offset.reset": "earliest",
            "producer.transaction.timeout.ms": "6000",
            "listeners": f"http://127.0.0.1:{self.port}",
            "plugin.path": str(next(kafka_home().glob("libs/connect-file-*.jar"))),
            "plugin.discovery": "service_load",
        }

    @property
    def url(self) -> str:
        """The address of the REST interface."""
        return f"http://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        lines = (f"{key}={value}\n" for key, value in self._settings.items())
        (self.data_dir / "worker.properties").write_text("".join(lines))

    def _argv(self) -> list[str]:
        java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp", f"{kafka_home()}/libs/*"]
        return [*java, "org.apache.kafka.connect.cli.ConnectDistributed", str(self.data_dir / "worker.properties")]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/connectors", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST interface, again while a rebalance is going on."""
        for _ in attempts(f"{method} {path}"):
            answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=GIVE_UP_S)
            if answer.status_code != httpx.codes.CONFLICT:
                break
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def wait_for(self, connector: str, state: str) -> None:
        """Wait until a connector and its task have a state."""
        status: Any = None
        for _ in attempts(f"{connector} to be {state}"):
            answer = httpx.get(f"{self.url}/connectors/{connector}/status", timeout=5)
            if answer.is_success:
                status = answer.json()
                states = [status["connector"]["state"], *(task["state"] for task in status["tasks"])]
                assert "FAILED" not in states, status
                if states == [state, state]:
                    return


def attempts(what: str) -> Iterator[None]:
    """Time to try again, until it is over."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while time.monotonic() < give_up_at:
        yield
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {GIVE_UP_S} s")


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=["embedded", "apache"])
def own_engine(request: pytest.FixtureRequest) -> Iterator[BrokerProcess | KafkaProcess]:
    with BrokerProcess() if request.param == "embedded" else KafkaProcess() as process:
        yield process


def test_a_file_is_copied_through_a_topic_whatever_is_killed(
    own_engine: BrokerProcess | KafkaProcess, unique: Callable[[str], str], tmp_path: Path
) -> None:
    source_file, sink_file = tmp_path / "in.txt", tmp_path / "out.txt"
    written: list[str] = []

    def write(count: int) -> None:
        new = [f"line {len(written) + number}" for number in range(count)]
        written.extend(new)
        with source_file.open("a") as file:
            file.writelines(f"{line}\n" for line in new)

    def wait_for_copy() -> None:
        for _ in attempts("the copy of the file"):
            if set(lines_of(sink_file)) >= set(written):
                return

    with ExitStack() as stack:
        clients = Clients(own_engine, unique, stack)
        topic = clients.topic()
        worker = stack.enter_context(ConnectWorker(tmp_path / "worker", own_engine, unique("connect")))
        source = {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": str(source_file),
            "topic": topic,
        }
        sink = {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": str(sink_file),
            "topics": topic,
        }
        write(100)
        worker.request("POST", "/connectors", {"name": "source", "config": source})
        worker.request("POST", "/connectors", {"name": "sink", "config": sink})
        wait_for_copy()

        worker.request("PUT", "/connectors/source/pause")
        worker.wait_for("source", "PAUSED")
        write(100)
        assert set(lines_of(sink_file)) == set(written[:100])
        worker.request("PUT", "/connectors/source/resume")
        worker.wait_for("source", "RUNNING")
        worker.kill()
        write(100)
        worker.start()
        wait_for_copy()

        own_engine.kill()
        write(100)
        own_engine.start()
        wait_for_copy()
        assert clients.values(topic) == [line.encode() for line in written]
        assert list(dict.fromkeys(lines_of(sink_file))) == written

        worker.request("DELETE", "/connectors/source")
        assert worker.request("GET", "/connectors") == ["sink"]
