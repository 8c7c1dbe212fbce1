"""Points in time as tables hold them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tailrace.connect.connectors.sql.clock import EpochMillis, Form, Native, Text, form_of_type, form_of_value
from tailrace.connect.errors import ConnectError

TEXTS = [Text(separator, digits, zone) for separator in " T" for digits in (0, 3, 6) for zone in ("", "Z", "+00:00")]
FORMS: list[Form] = [*TEXTS, EpochMillis(), Native(zoned=True), Native(zoned=False)]
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-11-23 10:20:30", Text(" ", 0, "")),
        ("2026-11-23 10:20:30.123", Text(" ", 3, "")),
        ("2026-11-23T10:20:30.123456Z", Text("T", 6, "Z")),
        ("2026-11-23T10:20:30+00:00", Text("T", 0, "+00:00")),
        (1795429230123, EpochMillis()),
    ],
)
def test_the_form_is_found_by_a_value_and_writes_it_again(value: Any, form: Form) -> None:
    assert form_of_value(value, "t.c") == form
    assert form.write(form.read(value)) == value


@pytest.mark.parametrize("value", ["yesterday", "2026-11-23", "2026-11-23 10:20:30+01:00", 1.5, b"x"])
def test_what_is_no_timestamp_in_utc_is_refused(value: Any) -> None:
    with pytest.raises(ConnectError, match=r"t\.c holds .*expected a timestamp"):
        form_of_value(value, "t.c")


@pytest.mark.parametrize(
    ("column", "dialect", "form"),
    [
        (sa.TIMESTAMP(timezone=True), "postgresql", Native(zoned=True)),
        (sa.TIMESTAMP(), "postgresql", Native(zoned=False)),
        (sa.BigInteger(), "postgresql", EpochMillis()),
        (sa.Integer(), "sqlite", EpochMillis()),
        (sa.TIMESTAMP(), "sqlite", None),
        (sa.Text(), "sqlite", None),
    ],
)
def test_the_form_is_found_by_the_type_where_it_tells(column: Any, dialect: str, form: Form | None) -> None:
    assert form_of_type(column, dialect) == form


@pytest.mark.parametrize("form", FORMS, ids=repr)
@given(MOMENTS, MOMENTS)
def test_values_sort_as_the_moments_do(form: Form, one: datetime, other: datetime) -> None:
    if one < other:
        assert form.write(one) <= form.write(other)


@pytest.mark.parametrize("form", FORMS, ids=repr)
@given(MOMENTS)
def test_what_is_read_is_written_again(form: Form, moment: datetime) -> None:
    value = form.write(moment)
    assert form.write(form.read(value)) == value
    assert timedelta(0) <= moment - form.read(value) < timedelta(seconds=1)


@pytest.mark.parametrize("form", [*TEXTS, EpochMillis()], ids=repr)
def test_before_lies_so_far_back(form: Form) -> None:
    sql, value = form.before(5000)
    back = datetime.now(UTC) - form.read(value)
    assert sql == ":before"
    assert timedelta(seconds=5) <= back < timedelta(seconds=8)
