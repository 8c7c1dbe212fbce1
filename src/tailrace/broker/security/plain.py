"""SASL PLAIN (RFC 4616): the client sends name and password. They are checked against the credentials for SCRAM."""

from __future__ import annotations

from tailrace.broker.security.credentials import HASHES, is_password
from tailrace.broker.security.exchange import Rejected, Step
from tailrace.broker.security.users import Users


class PlainExchange:
    """`[identity] NUL user NUL password`, and that is all; the identity must be empty or the user."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def step(self, token: bytes) -> Step:
        """Check name and password, which takes milliseconds. Raises Rejected."""
        try:
            identity, user, password = token.decode().split("\0")
        except ValueError:
            raise Rejected("a token of PLAIN must have three parts of UTF-8") from None
        if not user or not password or identity not in ("", user):
            raise Rejected("PLAIN needs a name and a password, and no other identity")
        # All mechanisms every time, known or not, so that the time taken tells nothing.
        is_right = [
            is_password(self._users.get(user, mechanism) or self._users.pretended(user, mechanism), password)
            for mechanism in HASHES
        ]
        if not any(is_right):
            raise Rejected(f"wrong name or password for {user!r}")
        return Step(b"", user)
