"""The command line inside the test, talking to both engines."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import pytest
from typer.testing import CliRunner

from tailrace.cli import app


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


_started: list["subprocess.Popen[str]"] = []


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """`tailrace` in a process of its own, which Ctrl-C reaches also where the tests run in the background."""
    command = [sys.executable, "-c", "from tailrace.cli import main; main()", *arguments]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )
    _started.append(process)
    return process


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Nothing that a test started outlives it."""
    yield
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()


class Done(NamedTuple):
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line."""
        return [line.split() for line in self.stdout.splitlines()]


class Tailrace:
    """Runs `tailrace` with arguments."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def run(self, *arguments: str, given: str | bytes | None = None) -> Done:
        """Whatever comes of it."""
        done = CliRunner().invoke(app, [*arguments, "-b", self.bootstrap_servers], input=given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> Done:
        """What has to succeed."""
        done = self.run(*arguments, given=given)
        assert done.exit_code == 0, done
        return done

    def fails(self, *arguments: str, given: str | bytes | None = None) -> str:
        """The one line that a command says when it fails."""
        done = self.run(*arguments, given=given)
        assert done.exit_code == 1, done
        [line] = done.stderr.splitlines()
        return line


@pytest.fixture
def tailrace(engine: Engine) -> Tailrace:
    return Tailrace(engine.bootstrap_servers)


@pytest.fixture
def topic(tailrace: Tailrace, unique: Callable[[str], str]) -> str:
    """A topic with two partitions, which keeps also what is as old as 1970."""
    name = unique("topic")
    tailrace("topics", "create", name, "--partitions", "2", "--config", "retention.ms=-1")
    return name
