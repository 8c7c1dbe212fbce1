"""What all tests share: the servers they run against, and a plain word on those this machine cannot run.

A test that needs something beyond Python is marked `kafka`, `kcat`, `postgres` or `browser`, or asks for the fixture of
that name. Where `make provision` has not been run it is skipped, loudly; with REQUIRE_ALL=1 it fails, as does any skip.
"""

import faulthandler
import itertools
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Protocol

import pytest

from tests.soak import SEED, SOAK

EXIT_TIMEOUT_S = 60
MEMORY = Path("/dev/shm")
MEMORY_MIN_BYTES = 4 << 30
NEEDS = ("kafka", "kcat", "postgres", "browser")
# A property of the reports of tests that could not run.
MISSING = "missing"
REQUIRE_ALL = os.environ.get("REQUIRE_ALL", "") not in ("", "0")


class Engine(Protocol):
    """Something that speaks the Kafka protocol."""

    name: ClassVar[str]

    @property
    def bootstrap_servers(self) -> str: ...


class Database(Protocol):
    """A PostgreSQL server."""

    @property
    def url(self) -> str: ...

    def create_database(self, name: str) -> str: ...


def pytest_report_header() -> str:
    """The seed with which a failure of the simulations can be repeated."""
    return f"seed of the simulations: {SEED}" + (", all of them (SOAK)" if SOAK else ", a sample; `make soak` runs all")


@cache
def missing(need: str) -> str | None:
    """Why tests with this need cannot run here; None when they can."""
    if need == "kafka":
        from tailrace.testing.kafka import KafkaProcess

        return KafkaProcess.available()
    if need == "postgres":
        from tailrace.testing.postgres import PostgresServer

        return PostgresServer.available()
    if need == "kcat":
        return None if shutil.which("kcat") else "kcat is not installed; run 'make provision'"
    return None if shutil.which("chromium") else "Chromium is not installed; run 'make provision'"


def needs_of(item: pytest.Item) -> list[str]:
    fixtures = getattr(item, "fixturenames", ())
    return [need for need in NEEDS if need in fixtures or item.get_closest_marker(need)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in needs_of(item):
        if reason := missing(need):
            item.user_properties.append((MISSING, need))
            if REQUIRE_ALL:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


def missing_counts(reporter: pytest.TerminalReporter) -> Counter[str]:
    """How many tests did not run for want of something, by its name; the tests may have been other processes'."""
    reports = [report for of_outcome in reporter.stats.values() for report in of_outcome]
    setups = [report for report in reports if getattr(report, "when", None) == "setup"]
    return Counter(value for setup in setups for name, value in setup.user_properties if name == MISSING)


def skipped_count(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    if REQUIRE_ALL and session.exitstatus == pytest.ExitCode.OK and skipped_count(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = missing_counts(terminalreporter)
    if counts:
        terminalreporter.section("NOT TESTED HERE", sep="!", red=True, bold=True)
    for need, count in counts.items():
        terminalreporter.line(f"{count} {need} tests: {missing(need)}", red=True)
    if REQUIRE_ALL and (skipped := skipped_count(config)):
        terminalreporter.line(f"REQUIRE_ALL=1 forbids skips, and {skipped} tests were skipped", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that a failed test left behind must not keep the run from ending: it is shown, and the run fails.

    One of several processes that run tests may wait longer for the others, and is ended with them.
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(EXIT_TIMEOUT_S, exit=True)


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder in memory, where the machine has such a file system, for servers whose files are of no interest: on a
    machine that others use too, a disk may stand still for many seconds."""
    where = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_MIN_BYTES else None
    with TemporaryDirectory(dir=where, prefix="tailrace-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# Many tests write records of long ago, which retention would delete when it next looks. Apache Kafka looks for the
# first time 30 s after its start if not told otherwise.
DAY_MS = "86400000"


@pytest.fixture(scope="session")
def broker(memory: Path) -> Iterator[Engine]:
    """The embedded broker, one for all tests; one that is to be killed a test starts itself."""
    from tailrace.testing.broker import BrokerProcess

    options = [f"--override=log.retention.check.interval.ms={DAY_MS}"]
    with BrokerProcess(memory / "broker", options=options) as process:
        yield process


@pytest.fixture(scope="session")
def kafka(memory: Path) -> Iterator[Engine]:
    """Apache Kafka, one for all tests; one that is to be killed a test starts itself."""
    from tailrace.testing.kafka import KafkaProcess

    properties = {"log.retention.check.interval.ms": DAY_MS, "log.initial.task.delay.ms": DAY_MS}
    with KafkaProcess(memory / "kafka", properties=properties) as process:
        yield process


@pytest.fixture(scope="session", params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The embedded broker and Apache Kafka in turn: what holds on one holds on the other."""
    process: Engine = request.getfixturevalue("broker" if request.param == "embedded" else "kafka")
    return process


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database]:
    """A PostgreSQL server, one for all tests; `create_database(unique("name"))` gives a test its own."""
    from tailrace.testing.postgres import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """Makes names nobody used before: topics, groups, transactional ids, databases."""
    run = secrets.token_hex(4)
    numbers = itertools.count(1)
    return lambda name: f"{name}-{run}-{next(numbers)}"
