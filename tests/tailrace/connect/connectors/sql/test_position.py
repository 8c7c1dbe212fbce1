"""Offsets in the format of the JDBC source connectors."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.connect.connectors.sql.position import Position, from_offset, to_offset

MOMENT = datetime(2026, 11, 23, 10, 20, 30, 123456, tzinfo=UTC)
MILLIS = 1795429230123


@pytest.mark.parametrize(
    ("position", "offset"),
    [
        (Position(), {}),
        (Position(incrementing=5), {"incrementing": 5}),
        (Position(MOMENT, 5), {"incrementing": 5, "timestamp": MILLIS, "timestamp_nanos": 123456000}),
    ],
)
def test_an_offset_has_what_the_position_has(position: Position, offset: dict[str, int]) -> None:
    assert to_offset(position) == offset
    assert from_offset(offset) == position


def test_no_offset_is_the_beginning() -> None:
    assert from_offset(None) == Position()


def test_an_offset_without_nanoseconds_counts_to_the_millisecond() -> None:
    assert from_offset({"timestamp": MILLIS}).timestamp == MOMENT.replace(microsecond=123000)


@given(
    st.builds(
        Position,
        st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    )
)
def test_a_position_survives_as_an_offset(position: Position) -> None:
    assert from_offset(to_offset(position)) == position
