"""Waiting for a system that is away."""

import pytest
from structlog.testing import capture_logs

from tailrace.connect.errors import ConnectError, RetriableError, SystemUnreachable
from tailrace.connect.outage import GivenUp, Outage


class Pauses(list[float]):
    """Remembers the pauses asked for, and never waits."""

    def __call__(self, seconds: float) -> bool:
        self.append(seconds)
        return True


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, error: type[RetriableError] = SystemUnreachable) -> None:
        self.left = failures
        self._error = error

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise self._error("db is away")
        return "answer"


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends() -> None:
    outage, pauses = Outage("t-0", 1000, 10), Pauses()
    with capture_logs() as lines:
        assert outage.patiently(Flaky(30), pauses) == "answer"
        assert outage.patiently(Flaky(0), lambda _: False) == "answer"
    assert [(line["event"], line.get("reason")) for line in lines] == [("waiting", "db is away"), ("goes on", None)]
    assert pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert len(pauses) == 30


def test_the_next_outage_begins_afresh() -> None:
    outage, pauses = Outage("t-0", 1000, 10), Pauses()
    for _ in range(2):
        outage.patiently(Flaky(2), pauses)
    assert pauses == [0.1, 0.2, 0.1, 0.2]


def test_what_is_waited_for_can_be_seen() -> None:
    outage = Outage("t-0", 1000, 10)
    outage.patiently(Flaky(1), lambda _: outage.trace == "db is away")
    assert outage.trace is None


def test_a_system_that_is_there_but_fails_is_given_up() -> None:
    with pytest.raises(ConnectError, match=r"gave up after max\.retries=3: db is away"):
        Outage("t-0", 1000, 3).patiently(Flaky(4, RetriableError), lambda _: True)
    assert Outage("t-0", 1000, 3).patiently(Flaky(3, RetriableError), lambda _: True) == "answer"


def test_waiting_ends_when_there_is_no_point_in_it() -> None:
    with pytest.raises(GivenUp):
        Outage("t-0", 1000, 3).patiently(Flaky(1), lambda _: False)
