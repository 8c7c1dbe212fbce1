"""What happens to records that cannot be read, that a step fails on, or whose outputs cannot be written."""

from collections.abc import Callable
from enum import Enum

from tailrace.streams.record import Record


class OnError(Enum):
    """What becomes of a record that went wrong.

    Of one that cannot be read, or that a step failed on, nothing else remains. Of one with an output that cannot be
    written everything else does: its state, and its other outputs.
    """

    FAIL = "fail"
    """The application stops with nothing of the record committed, and finds it again when it is started."""
    SKIP = "skip"
    """The record, or its output, is left out, with a line in the log."""
    DEAD_LETTER = "dead letter"
    """The record goes to the topic of dead letters as it was read, with the reason in its headers."""


# One answer for all records, or a function that decides.
ErrorHandler = OnError | Callable[[Record, Exception], OnError]


def answer(handler: ErrorHandler, record: Record, error: Exception) -> OnError:
    """Ask a handler about a record."""
    return handler if isinstance(handler, OnError) else handler(record, error)
