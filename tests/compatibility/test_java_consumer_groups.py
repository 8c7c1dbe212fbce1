"""Java's consumer in a consumer group (KIP-848), and what Kafka's tools say of the group."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailrace.testing.kafka import kafka_home

from .conftest import GIVE_UP_S, Clients
from .test_java import TOOLS, tool

pytestmark = pytest.mark.kafka
GROUPS = "consumer.group.ConsumerGroupCommand"


@contextmanager
def console_consumer(server: str, topic: str, group: str, output: Path) -> Iterator[None]:
    """A console consumer of Kafka that writes what it reads to a file, and leaves its group at the end."""
    where = ["--bootstrap-server", server, "--topic", topic, "--group", group, "--from-beginning"]
    command = ["java", "-Xmx128m", "-cp", f"{kafka_home()}/libs/*", f"{TOOLS}.consumer.ConsoleConsumer", *where]
    with output.open("wb") as file:
        process = subprocess.Popen([*command, "--command-property", "group.protocol=consumer"], stdout=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait(GIVE_UP_S)


def read(output: Path, count: int) -> list[str]:
    """The first lines of a file, when they are there."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while len(lines := output.read_text().splitlines()) < count:
        assert time.monotonic() < give_up_at, lines
        time.sleep(0.05)
    return lines


def table(name: str, *arguments: str) -> list[dict[str, str]]:
    """What a tool says, by the headings of its table; cells have no spaces in them."""
    lines = [line.split() for line in tool(name, *arguments).splitlines() if line.strip()]
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def test_javas_consumer_and_the_tools(clients: Clients, tmp_path: Path) -> None:
    server = clients.common["bootstrap.servers"]
    topic, group = clients.topic(partitions=4), clients.unique("group")
    producer = clients.producer()
    for index in range(4):
        producer.produce(topic, b"value-%d" % index, partition=index)
    producer.flush(GIVE_UP_S)
    of_group = ["--bootstrap-server", server, "--describe", "--group", group]
    output = tmp_path / "read"
    with console_consumer(server, topic, group, output):
        assert sorted(read(output, 4)) == [f"value-{index}" for index in range(4)]
        described = table(GROUPS, *of_group)
        assert [(row["TOPIC"], row["PARTITION"], row["LOG-END-OFFSET"]) for row in described] == [
            (topic, str(index), "1") for index in range(4)
        ]
        [member] = table(GROUPS, *of_group, "--members", "--verbose")
        assert member["#PARTITIONS"] == "4"
        assert member["CURRENT-EPOCH"] == member["TARGET-EPOCH"]
        assert member["CURRENT-ASSIGNMENT"] == member["TARGET-ASSIGNMENT"] == f"{topic}:0,1,2,3"
        [state] = table(GROUPS, *of_group, "--state", "--verbose")
        assert "Stable" in state.values()
        listed = table(GROUPS, "--bootstrap-server", server, "--list", "--type", "consumer", "--state", "stable")
        assert {"GROUP": group, "TYPE": "Consumer", "STATE": "Stable"} in listed
    assert "Empty" in tool(GROUPS, *of_group, "--state")
    committed = table(GROUPS, *of_group)
    assert [row["CURRENT-OFFSET"] for row in committed] == ["1"] * 4
    tool(GROUPS, "--bootstrap-server", server, "--delete", "--group", group)
    assert group not in tool(GROUPS, "--bootstrap-server", server, "--list")
