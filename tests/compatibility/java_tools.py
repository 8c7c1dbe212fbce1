"""The command line tools of Apache Kafka, unmodified, in one JVM."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from select import select
from types import TracebackType
from typing import IO, NamedTuple, Self, cast

from tailrace.testing.kafka import kafka_home

TIMEOUT_S = 60
SOURCES = Path(__file__).parent / "java"

CLASSES = {
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}


class Done(NamedTuple):
    """What a tool did."""

    status: int
    out: str
    err: str

    def rows(self) -> list[list[str]]:
        """The lines of its output as words, without empty lines."""
        return [line.split() for line in self.out.splitlines() if line.strip()]

    def columns(self, *headers: str) -> list[tuple[str, ...]]:
        """The rows of a table in its output, sorted, with the columns of these headers."""
        rows = self.rows()
        start = next(index for index, row in enumerate(rows) if headers[0] in row)
        positions = [rows[start].index(header) for header in headers]
        table = [row for row in rows[start + 1 :] if len(row) > max(positions)]
        return sorted(tuple(row[position] for position in positions) for row in table)


class JavaTools:
    """A JVM that runs tools on request; to be used with `with`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def _start(self) -> subprocess.Popen[str]:
        java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF"]
        command = [*java, "-cp", f"{kafka_home()}/libs/*", str(SOURCES / "ToolServer.java")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self._process

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def run(self, tool: str, *arguments: str, stdin: str = "") -> Done:
        """Run a tool by the name of its script; one that hangs is given up together with the JVM."""
        process = self._process or self._start()
        line = [CLASSES[tool], _encode(stdin), *map(_encode, arguments)]
        requests, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        requests.write(" ".join(line) + "\n")
        requests.flush()
        is_answered, _, _ = select([answers], [], [], TIMEOUT_S)
        answer = answers.readline() if is_answered else ""
        if not answer:
            self._stop()
            raise AssertionError(f"{tool} {'ended the JVM' if is_answered else f'took more than {TIMEOUT_S} s'}")
        status, out, err = answer.rstrip("\n").split(" ")
        return Done(int(status), b64decode(out).decode(), b64decode(err).decode())


def _encode(text: str) -> str:
    return b64encode(text.encode()).decode()
