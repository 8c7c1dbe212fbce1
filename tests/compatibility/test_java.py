"""The tools of Apache Kafka, which use its Java clients, against the embedded broker."""

import subprocess
from collections.abc import Callable
from typing import Protocol

import pytest

from tailrace.testing.kafka import kafka_home

pytestmark = pytest.mark.kafka
TOOLS = "org.apache.kafka.tools"


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


def tool(name: str, *arguments: str) -> str:
    command = ["java", "-Xmx256m", "-cp", f"{kafka_home()}/libs/*", f"{TOOLS}.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_topics_transactions_and_groups(broker: Engine, unique: Callable[[str], str]) -> None:
    topic, group, server = unique("topic"), unique("group"), broker.bootstrap_servers
    tool("TopicCommand", "--bootstrap-server", server, "--create", "--topic", topic, "--partitions", "2")
    assert "PartitionCount: 2" in tool("TopicCommand", "--bootstrap-server", server, "--describe", "--topic", topic)

    load = ["--topic", topic, "--num-records", "1000", "--record-size", "10", "--throughput", "-1"]
    transactional = ["--transactional-id", unique("txn"), "--transaction-duration-ms", "20"]
    sent = tool("ProducerPerformance", *load, *transactional, "--producer-props", f"bootstrap.servers={server}")
    assert "1000 records sent" in sent

    read = ["--from-beginning", "--max-messages", "1000", "--group", group, "--isolation-level", "read_committed"]
    consumed = tool("consumer.ConsoleConsumer", "--bootstrap-server", server, "--topic", topic, *read)
    assert len(consumed.splitlines()) >= 1000
    described = tool(
        "consumer.group.ConsumerGroupCommand", "--bootstrap-server", server, "--describe", "--group", group
    )
    assert topic in described
