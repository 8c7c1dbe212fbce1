"""Where a record is at one point of generated code: the names of the variables that hold its parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde

if TYPE_CHECKING:
    from tailrace.streams.code.code import Code


@dataclass(frozen=True, slots=True)
class Flow:
    """Variables of one record. What is not named by any line is never computed.

    `key_bytes` and `value_bytes` are the record's bytes as they are read with `key_serde` and `value_serde`, and None
    once key or value have changed. `record` is the message that caused this one, `old` a table's former value.
    """

    key: str
    value: str
    timestamp: str
    record: str
    key_bytes: str | None
    value_bytes: str | None
    key_serde: Serde[Any] | None = None
    value_serde: Serde[Any] | None = None
    old: str | None = None


# Writes the code of what follows a step, where it is told to.
Forward = Callable[["Code", Flow], None]
