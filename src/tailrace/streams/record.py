"""A record as operators and users' functions see it."""

from tailrace.client import Record

__all__ = ["Record"]
