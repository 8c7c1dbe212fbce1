"""When requests are due, and what the figures say of them."""

import pytest

from agio.load.figures import Figures
from agio.load.sender import BATCH, WINDOW, Schedule


@pytest.mark.parametrize(
    ("schedule", "elapsed_s", "sent", "answered", "due"),
    [
        pytest.param(Schedule(rate=10), 0.0, 0, 0, 1, id="the first is due at once"),
        pytest.param(Schedule(rate=10), 0.99, 5, 0, 10, id="whatever is answered"),
        pytest.param(Schedule(rate=10, transactions=3), 9.0, 1, 0, 3, id="not more than wanted"),
        pytest.param(Schedule(), 0.0, 0, 0, BATCH, id="at full speed a batch"),
        pytest.param(Schedule(), 1.0, WINDOW, 0, WINDOW, id="until the window is full"),
        pytest.param(Schedule(), 1.0, WINDOW, 7, WINDOW + 7, id="again when some are answered"),
    ],
)
def test_due(schedule: Schedule, elapsed_s: float, sent: int, answered: int, due: int) -> None:
    assert schedule.due(elapsed_s, sent, answered) == due


@pytest.mark.parametrize(
    ("schedule", "elapsed_s", "sent", "over"),
    [
        (Schedule(transactions=5), 0.0, 4, False),
        (Schedule(transactions=5), 0.0, 5, True),
        (Schedule(duration_s=2.0), 1.9, 10**6, False),
        (Schedule(duration_s=2.0), 2.0, 0, True),
        (Schedule(transactions=5, duration_s=2.0), 2.0, 0, True),
    ],
)
def test_over(schedule: Schedule, elapsed_s: float, sent: int, over: bool) -> None:
    assert schedule.is_over(elapsed_s, sent) is over


def test_figures_count_each_request_once() -> None:
    figures = Figures()
    for at in (10.0, 10.5, 11.0):
        figures.sent(at)
    figures.answer(1, "DEPOSIT", 12.5)
    figures.answer(1, "DEPOSIT", 13.0)
    figures.answer(0, "INSUFFICIENT_FUNDS", 14.0)
    assert (figures.answers, figures.missing, figures.duplicates) == (2, 1, 1)
    assert figures.outcomes == {"DEPOSIT": 1, "INSUFFICIENT_FUNDS": 1}
    assert (figures.seconds, figures.throughput) == (4.0, 0.5)


def test_percentiles_are_latencies_that_were_measured() -> None:
    figures = Figures()
    for number in range(100):
        figures.sent(0.0)
        figures.answer(number, "DEPOSIT", (number + 1) / 1000)
    assert figures.latency_ms() == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def test_no_outcome_has_no_latency() -> None:
    assert Figures().latency_ms() == {}
    assert Figures().throughput == 0
