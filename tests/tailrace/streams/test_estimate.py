"""When restoring will be done, from how it went until now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams.estimate import Estimate, estimate


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ((1_200_000, 1_200_000, 800_000, 10.5), Estimate(2_000_000, 114_286, 7)),
        ((0, 0, 100, 5.0), Estimate(100, 0, None)),
        ((100, 100, 0, 5.0), Estimate(100, 20, 0)),
        ((0, 0, 0, 0.0), Estimate(0, 0, None)),
        # Of a compacted topic one record in ten is left, and the offsets between them pass as quickly.
        ((10, 100, 300, 2.0), Estimate(310, 5, 6)),
    ],
)
def test_what_is_left_goes_as_fast_as_what_is_done(case, expected):
    assert estimate(*case) == expected


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.floats(0.1, 1e6))
def test_the_estimate_is_in_proportion(passed, left, seconds):
    expected = estimate(passed, passed, left, seconds)
    assert expected.seconds_left == pytest.approx(seconds * left / passed, abs=0.51)
