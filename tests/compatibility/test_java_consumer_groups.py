"""Java's consumer in a consumer group (KIP-848), and what Kafka's tools say of the group."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailrace.testing.kafka import kafka_home

from .conftest import GIVE_UP_S, Clients
from .java_tools import CLASSES, Done, JavaTools

pytestmark = pytest.mark.kafka
GROUPS = "kafka-consumer-groups"


@contextmanager
def console_consumer(server: str, topic: str, group: str, output: Path) -> Iterator[None]:
    """A console consumer of Kafka that writes what it reads to a file, and leaves its group at the end."""
    where = ["--bootstrap-server", server, "--topic", topic, "--group", group, "--from-beginning"]
    command = ["java", "-Xmx128m", "-cp", f"{kafka_home()}/libs/*", CLASSES["kafka-console-consumer"], *where]
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


def table(done: Done) -> list[dict[str, str]]:
    """What a tool said, by the headings of its table; cells have no spaces in them."""
    assert done.status == 0, done.out + done.err
    headings, *rows = done.rows()
    return [dict(zip(headings, row, strict=False)) for row in rows]


def test_javas_consumer_and_the_tools(clients: Clients, java_tools: JavaTools, tmp_path: Path) -> None:
    server = clients.common["bootstrap.servers"]
    topic, group = clients.topic(partitions=4), clients.unique("group")
    producer = clients.producer()
    for index in range(4):
        producer.produce(topic, b"value-%d" % index, partition=index)
    producer.flush(GIVE_UP_S)
    of_group = ["--describe", "--group", group]

    def groups(*arguments: str) -> Done:
        return java_tools.run(GROUPS, "--bootstrap-server", server, *arguments)

    output = tmp_path / "read"
    with console_consumer(server, topic, group, output):
        assert sorted(read(output, 4)) == [f"value-{index}" for index in range(4)]
        described = table(groups(*of_group))
        assert [(row["TOPIC"], row["PARTITION"], row["LOG-END-OFFSET"]) for row in described] == [
            (topic, str(index), "1") for index in range(4)
        ]
        [member] = table(groups(*of_group, "--members", "--verbose"))
        assert member["#PARTITIONS"] == "4"
        assert member["CURRENT-EPOCH"] == member["TARGET-EPOCH"]
        assert member["CURRENT-ASSIGNMENT"] == member["TARGET-ASSIGNMENT"] == f"{topic}:0,1,2,3"
        [state] = table(groups(*of_group, "--state", "--verbose"))
        assert "Stable" in state.values()
        listed = table(groups("--list", "--type", "consumer", "--state", "stable"))
        assert {"GROUP": group, "TYPE": "Consumer", "STATE": "Stable"} in listed
    assert "Empty" in groups(*of_group, "--state").out
    committed = table(groups(*of_group))
    assert [row["CURRENT-OFFSET"] for row in committed] == ["1"] * 4
    assert groups("--delete", "--group", group).status == 0
    assert group not in groups("--list").out
