"""PLAIN on the credentials of SCRAM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential
from tailrace.broker.security.exchange import Rejected
from tailrace.broker.security.plain import PlainExchange
from tailrace.broker.security.users import Users

USERS = Users(
    [
        credential("alice", Mechanism.SCRAM_SHA_256, "secret", b"salt", 4096),
        credential("bob", Mechanism.SCRAM_SHA_512, "sëcret", b"salt", 4096),
    ]
)


@pytest.mark.parametrize("token", ["\0alice\0secret", "alice\0alice\0secret", "\0bob\0sëcret"])
def test_the_right_password_is_accepted(token: str) -> None:
    assert PlainExchange(USERS).step(token.encode()).user == token.split("\0")[1]


@pytest.mark.parametrize(
    "token",
    [
        b"\0alice\0wrong",
        b"\0nobody\0secret",
        b"bob\0alice\0secret",
        b"\0alice\0",
        b"\0\0secret",
        b"alice\0secret",
        b"\0alice\0secret\0",
        b"\0alice\0\xff",
        b"",
    ],
)
def test_anything_else_is_rejected(token: bytes) -> None:
    with pytest.raises(Rejected):
        PlainExchange(USERS).step(token)


@given(st.binary(max_size=20))
def test_whatever_comes_is_rejected(token: bytes) -> None:
    with pytest.raises(Rejected):
        PlainExchange(USERS).step(token)
