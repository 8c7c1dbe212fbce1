"""Histograms count as Prometheus does: up to each bound, inclusive."""

from hypothesis import given
from hypothesis import strategies as st

from tailrace.metrics.histogram import Histogram


@given(st.lists(st.floats(0, 20)))
def test_each_bound_has_the_values_up_to_it(values: list[float]) -> None:
    histogram = Histogram((1.0, 5.0, 10.0))
    for value in values:
        histogram.observe(value)
    expected = [(bound, sum(value <= bound for value in values)) for bound in (1.0, 5.0, 10.0, float("inf"))]
    assert list(histogram.cumulative()) == expected
    assert histogram.count == len(values)
    assert histogram.sum == sum(values, 0.0)
