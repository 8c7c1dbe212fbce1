"""What a load says, for people and for scripts."""

import json
from io import StringIO

from rich.console import Console

from agio.load.figures import Figures
from agio.load.report import as_json, print_figures


def figures() -> Figures:
    figures = Figures()
    for at in (1.0, 1.1, 1.2, 1.3):
        figures.sent(at)
    figures.answer(0, "DEPOSIT", 1.5)
    figures.answer(1, "DEPOSIT", 2.1)
    figures.answer(2, "AMOUNT_PRECISION", 3.0)
    return figures


def test_json_has_everything_a_script_needs() -> None:
    assert json.loads(as_json(figures())) == {
        "requests": 4,
        "outcomes": 3,
        "seconds": 2.0,
        "outcomes_per_s": 1.5,
        "latency_ms": {"p50": 1000.0, "p90": 1800.0, "p99": 1800.0, "max": 1800.0},
        "by_outcome": {"DEPOSIT": 2, "AMOUNT_PRECISION": 1},
        "missing": 1,
        "duplicates": 0,
        "unsent": 0,
        "interrupted": False,
    }


def test_the_table_shows_outcomes_and_what_is_missing() -> None:
    out = StringIO()
    print_figures(figures(), Console(file=out, width=80))
    rows = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert {"outcomes 3", "in 2.00 s", "latency p50 1,000.00 ms", "DEPOSIT 2", "missing 1"} <= set(rows)
