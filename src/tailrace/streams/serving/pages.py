"""Pages: what a table has, some entries at a time, from partition to partition."""

import binascii
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from tailrace.streams.state.kept import Bounds, Kept
from tailrace.streams.state.store import Reader
from tailrace.streams.windows import Windowed

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000


class Page(Struct):
    """Some entries, and the cursor of the next page; None after the last one."""

    entries: list[Any]
    next: str | None


@dataclass(frozen=True)
class Cursor:
    """A place in a table: a partition, and the key of its store that was given last; None before the first."""

    partition: int
    after: bytes | None = None

    def __str__(self) -> str:
        after = "" if self.after is None else f".{urlsafe_b64encode(self.after).decode()}"
        return f"{self.partition}{after}"

    @staticmethod
    def parse(text: str) -> "Cursor":
        """Read what `str` made. Raises ValueError for what it did not make."""
        partition, dot, after = text.partition(".")
        try:
            if not (partition.isascii() and partition.isdecimal()):
                raise ValueError(partition)
            return Cursor(int(partition), b64decode(after, b"-_", validate=True) if dot else None)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"{text!r} is no cursor; expected what a page before gave as next") from error


def read_page(kept: Kept, reader: Reader[Any], bounds: Bounds, place: Cursor, limit: int) -> Page:
    """Read what a store has after a place.

    The sessions of a key are in one page, which may have more than `limit` entries then.
    """
    start, end = bounds
    if place.after is not None:
        start = max(start, place.after + b"\0")
    rows: list[Any] = []
    last = b""
    for key, entries in kept.entries(reader, start, end):
        if len(rows) >= limit:
            return Page(rows, str(Cursor(place.partition, last)))
        rows += [row(*entry) for entry in entries]
        last = key
    return Page(rows, None)


def row(key: Any, value: Any) -> dict[str, Any]:
    """An entry of a table as it is given to others."""
    if isinstance(key, Windowed):
        return {"key": key.key, "start": key.start, "end": key.end, "value": value}
    return {"key": key, "value": value}
