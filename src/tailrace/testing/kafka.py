"""Apache Kafka for tests that need the real thing: one node, broker and controller, in KRaft mode."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.testing.port import accepts, free_port
from tailrace.testing.server_process import ServerProcess

CLUSTER_ID = "tailrace-0123456789AAA"

# Kafka's own defaults are for many machines. One machine has no replicas, few partitions to open at the start, and a
# restart after a crash that waits for the old session to time out.
ONE_MACHINE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # So that tests need not wait long for the group to give up on a member.
    "group.min.session.timeout.ms": "500",
    "group.consumer.min.session.timeout.ms": "500",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.assignment.interval.ms": "0",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "250",
    "log.cleaner.dedupe.buffer.size": "16777216",
}

LOG4J2 = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def kafka_home() -> Path:
    """Give the directory with Kafka's `libs`: KAFKA_HOME, or where `make provision` puts it."""
    return Path(os.environ.get("KAFKA_HOME") or Path(__file__).parents[3] / ".provision" / "kafka")


class KafkaProcess(ServerProcess):
    """One Apache Kafka node on 127.0.0.1.

    `partitions` is what a topic made without a count gets; `properties` are added to `server.properties`.
    """

    name = "Apache Kafka"

    def __init__(
        self,
        data_dir: Path | str | None = None,
        port: int = 0,
        *,
        partitions: int = 1,
        properties: Mapping[str, str] | None = None,
        heap_mb: int = 512,
        detached: bool = False,
    ) -> None:
        super().__init__(data_dir, port, detached=detached)
        self._controller_port = free_port()
        self._properties = {**ONE_MACHINE, "num.partitions": str(partitions), **(properties or {})}
        self._heap = [f"-Xmx{heap_mb}m", f"-Xms{heap_mb // 2}m"]

    @staticmethod
    def available() -> str | None:
        """Say why Apache Kafka cannot be started here; None when it can."""
        if not any(kafka_home().glob("libs/kafka_2.13-*.jar")):
            return "Apache Kafka is not installed; run 'make provision'"
        if shutil.which("java") is None:
            return "Java is not installed; run 'make provision'"
        return None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        if reason := self.available():
            raise RuntimeError(reason)
        (self.data_dir / "log4j2.properties").write_text(LOG4J2)
        self._server_properties.write_text("".join(f"{key}={value}\n" for key, value in self._configuration().items()))
        if (self.data_dir / "data" / "meta.properties").exists():
            return
        command = self._java("-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format")
        arguments = ["--cluster-id", CLUSTER_ID, "--config", str(self._server_properties)]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Apache Kafka could not format {self.data_dir}:\n{done.stdout}{done.stderr}")

    def _argv(self) -> list[str]:
        return self._java(*self._heap, "kafka.Kafka", str(self._server_properties))

    def _is_ready(self) -> bool:
        if not accepts(self.port):
            return False
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    @property
    def _server_properties(self) -> Path:
        return self.data_dir / "server.properties"

    def _configuration(self) -> dict[str, str]:
        controller = f"127.0.0.1:{self._controller_port}"
        return {
            **self._properties,
            "listeners": f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.data_dir / "data"),
        }

    def _java(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}"
        return ["java", logging, "-cp", f"{kafka_home()}/libs/*", *arguments]
