import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.serial.readers import read_signed_varlong, read_unsigned_varlong

from tailrace.wire.varint import read_unsigned_varint, read_varint, unsigned_varint, varint


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_signed_value_comes_back_and_kio_agrees(value: int) -> None:
    encoded = varint(value)
    assert read_varint(encoded, 0) == (value, len(encoded))
    assert read_signed_varlong(encoded, 0) == (value, len(encoded))


@given(st.integers(0, 2**63 - 1))
def test_an_unsigned_value_comes_back_and_kio_agrees(value: int) -> None:
    encoded = unsigned_varint(value)
    assert read_unsigned_varint(encoded, 0) == (value, len(encoded))
    assert read_unsigned_varlong(encoded, 0) == (value, len(encoded))


def test_a_varint_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_unsigned_varint(b"\xff" * 20, 0)
