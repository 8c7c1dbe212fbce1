"""kcat, as distributions ship it, with a librdkafka that is years older than ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Clients, Engine

pytestmark = pytest.mark.kcat
Kcat = Callable[..., str]


@pytest.fixture
def kcat(engine: Engine) -> Kcat:
    def run(*arguments: str, stdin: str = "") -> str:
        command = ["kcat", "-b", engine.bootstrap_servers, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def records(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_topics_are_listed(kcat: Kcat, clients: Clients) -> None:
    topic = clients.topic(partitions=3)
    [found] = [entry for entry in json.loads(kcat("-L", "-J"))["topics"] if entry["topic"] == topic]
    assert sorted(partition["partition"] for partition in found["partitions"]) == [0, 1, 2]
    assert {(partition["leader"], len(partition["isrs"])) for partition in found["partitions"]} == {(1, 1)}


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_with_keys_and_headers(kcat: Kcat, clients: Clients, codec: str) -> None:
    topic = clients.topic()
    lines = [f"key{number}:{'value ' * 20}{number}" for number in range(50)]
    produce = ("-P", "-t", topic, "-K:", "-H", "origin=kcat", "-z", codec, "-X", "linger.ms=50")
    kcat(*produce, stdin="\n".join(lines) + "\n")
    found = records(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"))
    assert [f"{record['key']}:{record['payload']}" for record in found] == lines
    assert [record["offset"] for record in found] == list(range(50))
    assert found[0]["headers"] == ["origin", "kcat"]


def test_an_idempotent_producer_and_offsets_by_time(kcat: Kcat, clients: Clients) -> None:
    topic = clients.topic()
    kcat("-P", "-t", topic, "-X", "enable.idempotence=true", stdin="a\nb\n")
    assert kcat("-Q", "-t", f"{topic}:0:-2").split() == [topic, "[0]", "offset", "0"]
    assert kcat("-Q", "-t", f"{topic}:0:-1").split() == [topic, "[0]", "offset", "2"]
    [first, _] = records(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"))
    assert kcat("-Q", "-t", f"{topic}:0:{first['ts']}").split()[-1] == "0"
    assert kcat("-Q", "-t", f"{topic}:0:{first['ts'] + 3_600_000}").split()[-1] in ("2", "-1")
    assert kcat("-C", "-t", topic, "-o", "-1", "-e", "-q") == "b\n"
    assert kcat("-C", "-t", topic, "-o", f"s@{first['ts']}", "-e", "-q") == "a\nb\n"


def test_a_group_goes_on_where_it_stopped(kcat: Kcat, clients: Clients) -> None:
    topic, group = clients.topic(partitions=2), clients.unique("group")
    kcat("-P", "-t", topic, "-p", "1", stdin="a\nb\nc\n")
    read = ("-q", "-X", "auto.offset.reset=earliest", "-G", group, topic)
    assert kcat("-c", "2", *read) == "a\nb\n"
    assert kcat("-c", "1", *read) == "c\n"


def test_a_transaction_is_committed(kcat: Kcat, clients: Clients) -> None:
    topic = clients.topic()
    kcat("-P", "-t", topic, "-X", f"transactional.id={clients.unique('txn')}", stdin="a\nb\n")
    assert clients.values(topic) == [b"a", b"b"]
    assert kcat("-C", "-t", topic, "-e", "-q", "-o", "beginning", "-X", "isolation.level=read_committed") == "a\nb\n"
