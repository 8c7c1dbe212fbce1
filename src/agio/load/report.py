"""Figures for people and for scripts."""

import json

from rich.console import Console
from rich.table import Table

from agio.load.figures import Figures


def as_json(figures: Figures) -> str:
    """The figures as JSON."""
    return json.dumps(
        {
            "requests": len(figures.sent_at),
            "outcomes": figures.answers,
            "seconds": round(figures.seconds, 3),
            "outcomes_per_s": round(figures.throughput, 1),
            "latency_ms": figures.latency_ms(),
            "by_outcome": dict(figures.outcomes.most_common()),
            "missing": figures.missing,
            "duplicates": figures.duplicates,
            "unsent": figures.unsent,
            "interrupted": figures.interrupted,
        },
        indent=2,
    )


def print_figures(figures: Figures, console: Console) -> None:
    """Print the figures as a table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("outcomes", f"{figures.answers:,}")
    table.add_row("in", f"{figures.seconds:.2f} s")
    table.add_row("per second", f"{figures.throughput:,.0f}", style="bold")
    for name, latency in figures.latency_ms().items():
        table.add_row(f"latency {name}", f"{latency:,.2f} ms")
    for outcome, count in figures.outcomes.most_common():
        table.add_row(outcome, f"{count:,}")
    for name, count in (
        ("missing", figures.missing),
        ("duplicates", figures.duplicates),
        ("not sent", figures.unsent),
    ):
        table.add_row(name, f"{count:,}", style="red" if count else None)
    console.print(table)
