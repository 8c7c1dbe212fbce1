"""Principals: names of users as Kafka writes them, `User:alice`."""

from __future__ import annotations

USER = "User:"
ANONYMOUS = "User:ANONYMOUS"
"""Whoever did not say who they are."""
EVERYBODY = "User:*"


def user_principal(name: str) -> str:
    """The principal of a user's name."""
    return USER + name
