"""Sparse index of one segment: where batches are, and the greatest timestamp before each.

An entry is written for a batch when at least `interval_bytes` were appended since the last entry. The index is only a
short cut: it can be rebuilt from the segment, so a file that does not fit its segment is ignored.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

ENTRY_FIELDS = 3


class Place(NamedTuple):
    """A batch boundary: the first batch at or after byte `position` has `offset` or a greater one."""

    offset: int
    position: int


class SegmentIndex:
    """Entries of (base offset, position, greatest timestamp of all batches before), each ascending."""

    def __init__(self, base_offset: int, interval_bytes: int = 4096) -> None:
        self.interval_bytes = interval_bytes
        self._offsets = array("q", [base_offset])
        self._positions = array("q", [0])
        self._timestamps = array("q", [-1])
        self._stored_entries = 1

    def append(self, offset: int, position: int, max_timestamp_before: int) -> None:
        """Consider an entry for the batch at `position`."""
        if position - self._positions[-1] >= self.interval_bytes:
            self._offsets.append(offset)
            self._positions.append(position)
            self._timestamps.append(max_timestamp_before)

    def at_or_before(self, offset: int) -> Place:
        """The last entry that does not lie behind `offset`."""
        entry = max(bisect_right(self._offsets, offset) - 1, 0)
        return Place(self._offsets[entry], self._positions[entry])

    def boundary_before(self, position: int) -> Place:
        """The last entry at or before byte `position`."""
        entry = max(bisect_right(self._positions, position) - 1, 0)
        return Place(self._offsets[entry], self._positions[entry])

    def boundary_after(self, position: int) -> Place | None:
        """The first entry behind byte `position`, None when there is none."""
        entry = bisect_right(self._positions, position)
        if entry == len(self._positions):
            return None
        return Place(self._offsets[entry], self._positions[entry])

    def before_timestamp(self, timestamp: int) -> Place:
        """The last entry such that all batches before it are older than `timestamp`."""
        entry = max(bisect_left(self._timestamps, timestamp) - 1, 0)
        return Place(self._offsets[entry], self._positions[entry])

    def take_unstored(self) -> tuple[bytes, int]:
        """The entries that were not yet taken, in the form of the index file, and their position in it."""
        first = self._stored_entries
        entries = array("q")
        for row in zip(self._offsets[first:], self._positions[first:], self._timestamps[first:], strict=True):
            entries.extend(row)
        self._stored_entries = len(self._offsets)
        if sys.byteorder == "little":
            entries.byteswap()
        return entries.tobytes(), (first - 1) * ENTRY_FIELDS * entries.itemsize

    def load(self, stored: bytes, segment_bytes: int) -> bool:
        """Take the entries of an index file up to `segment_bytes`; False when they cannot be right."""
        entries = array("q", stored[: len(stored) // (8 * ENTRY_FIELDS) * 8 * ENTRY_FIELDS])
        if sys.byteorder == "little":
            entries.byteswap()
        columns = [entries[column::ENTRY_FIELDS] for column in range(ENTRY_FIELDS)]
        kept = bisect_left(columns[1], segment_bytes)
        offsets, positions, timestamps = (column[:kept] for column in columns)
        rows = zip(offsets, positions, strict=True)
        previous = (self._offsets[0], 0)
        for offset, position in rows:
            if offset <= previous[0] or position <= previous[1]:
                return False
            previous = (offset, position)
        self._offsets.extend(offsets)
        self._positions.extend(positions)
        self._timestamps.extend(timestamps)
        self._stored_entries = len(self._offsets)
        return True
