"""The pytest plugin as others use it: in a project of their own, with nothing but tailrace installed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "testing.md"
Project = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes files into a directory of their own and runs pytest there."""

    def run(*arguments: str, **files: str) -> "subprocess.CompletedProcess[str]":
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)

    return run


def example(file: str) -> str:
    """The code block of the guide that begins with the file's name."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return next(block for block in blocks if block.startswith(f"# {file}\n"))


def test_the_guides_example_runs_as_it_stands(project: Project) -> None:
    done = project(test_orders=example("test_orders.py"))
    assert "2 passed" in done.stdout, done.stdout


def test_settings_come_from_a_fixture(project: Project) -> None:
    test = """
from confluent_kafka.admin import AdminClient

def test_the_default_of_partitions(kafka):
    topic = kafka.topic(partitions=-1)
    known = AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=60).topics
    assert len(known[topic].partitions) == 3
"""
    assert "1 passed" in project(conftest=example("conftest.py"), test_it=test).stdout


SHARED = """
import os

seen = []

def test_the_first(kafka, kafka_broker):
    seen.append((kafka.topic("same"), kafka_broker.pid))
    consumer = kafka.consumer(seen[0][0])
    seen.append(consumer)

def test_the_second(kafka, kafka_broker):
    assert seen[0][1] == kafka_broker.pid, "the broker is shared"
    assert kafka.topic("same") != seen[0][0], "the name is not"
    try:
        seen[1].poll(0)
    except RuntimeError as closed:
        assert "closed" in str(closed)
    else:
        raise AssertionError("the first test's consumer is still open")

def test_a_crash(kafka):
    kafka.kill()

def test_the_next_one_has_a_broker_again(kafka):
    producer = kafka.producer()
    topic = kafka.topic()
    producer.produce(topic, "v")
    assert producer.flush(60) == 0
    assert [record.value() for record in kafka.records(topic)] == [b"v"]

def test_it_is_gone_at_the_end(kafka_broker):
    with open("where", "w") as file:
        file.write(f"{kafka_broker.pid} {kafka_broker.data_dir}")
"""


def test_one_broker_serves_the_run_and_is_gone_after_it(project: Project, tmp_path: Path) -> None:
    done = project(test_it=SHARED)
    assert "5 passed" in done.stdout, done.stdout
    pid, data = (tmp_path / "where").read_text().split()
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(data).exists()


def test_who_has_a_fixture_of_that_name_keeps_it(project: Project) -> None:
    conftest = "import pytest\n\n@pytest.fixture\ndef kafka():\n    return 'mine'\n"
    assert "1 passed" in project(conftest=conftest, test_it="def test_it(kafka):\n    assert kafka == 'mine'\n").stdout


def test_nothing_is_loaded_for_who_does_not_ask(project: Project) -> None:
    test = """
import sys

def test_it():
    heavy = {"confluent_kafka", "psutil", "kio", "tailrace.testing.broker", "tailrace.client", "structlog"}
    assert not heavy & sys.modules.keys()
"""
    assert "1 passed" in project(test_it=test).stdout
