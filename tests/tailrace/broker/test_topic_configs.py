"""Topic configurations: what is valid, and that all are described."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.topic_config_descriptions import DESCRIPTIONS
from tailrace.broker.topic_configs import DEFINITIONS, problem


def test_every_configuration_is_described() -> None:
    assert list(DESCRIPTIONS) == sorted(DEFINITIONS)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_defaults_are_valid(name: str) -> None:
    assert problem({name: DEFINITIONS[name].default}) is None


@given(name=st.sampled_from(sorted(DEFINITIONS)), value=st.text(max_size=10))
def test_no_value_breaks_the_check(name: str, value: str) -> None:
    wrong = problem({name: value})
    assert wrong is None or name in wrong


@pytest.mark.parametrize("value", ["1_000_000", "0x10", "", "١", "1e9", "9" * 5000, "99999999999999999999"])
def test_only_decimal_numbers_are_numbers(value: str) -> None:
    assert problem({"segment.bytes": value}) is not None


@pytest.mark.parametrize("value", ["NaN", "inf", "-0.1", "1.1", "half"])
def test_a_ratio_lies_between_zero_and_one(value: str) -> None:
    assert problem({"min.cleanable.dirty.ratio": value}) is not None
