"""The one place that reads the wall clock."""

import time
from collections.abc import Callable

# Milliseconds since 1970-01-01 UTC.
Clock = Callable[[], int]


def now_ms() -> int:
    """The time, in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
