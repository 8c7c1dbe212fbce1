"""Metrics as plain rows, taken at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tailrace.metrics.histogram import Histogram

Kind = Literal["counter", "gauge", "histogram"]


class Distribution(NamedTuple):
    """A histogram at one moment: bounds with cumulative counts, and the sum of the values."""

    buckets: list[tuple[float, int]]
    sum: float


Row = tuple[tuple[str, ...], float | Distribution]


class Reading(NamedTuple):
    """One metric: name, what it is, names of its labels, and a row for each combination of their values.

    The name of a counter is without the ending `_total`, which its text has.
    """

    name: str
    kind: Kind
    description: str
    labels: tuple[str, ...]
    rows: Sequence[Row]


def distribution(histogram: Histogram) -> Distribution:
    """What a histogram has now."""
    return Distribution(list(histogram.cumulative()), histogram.sum)
