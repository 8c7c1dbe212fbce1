"""Times as events carry them, milliseconds since 1970, and as people's programs read them."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """The time now."""
    return time.time_ns() // 1_000_000


def rfc3339(time_ms: int) -> str:
    """Write a time as `2026-01-31T23:59:59.999Z`."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
