"""How operators are called."""

from collections.abc import Callable
from typing import Any

from tailrace.client import Record

__all__ = ["Process", "Record"]

# Handles one record: its decoded key and value, and the record it came from.
Process = Callable[[str, Any, Record], None]
