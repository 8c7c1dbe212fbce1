"""How far topics were read of which everything counts, against how far their logs reach: tables, and what is joined."""

from collections.abc import Iterable, Mapping

# Topic and partition.
Source = tuple[str, int]

UNKNOWN = 1 << 63


class Progress:
    """The next offset of each partition."""

    def __init__(self, positions: Mapping[Source, int]) -> None:
        self.positions = dict(positions)

    def add(self, positions: Mapping[Source, int]) -> None:
        """Begin with partitions at these offsets."""
        self.positions |= positions

    def drop(self, partition: int, topics: Iterable[str]) -> None:
        """Forget a partition number of topics."""
        for topic in topics:
            self.positions.pop((topic, partition), None)

    def read(self, source: Source, offset: int) -> None:
        """Note that a partition was read to an offset, exclusive; of other topics that changes nothing."""
        if source in self.positions:
            self.positions[source] = offset

    def ended(self, source: Source, offset: int) -> None:
        """Note that nothing is left in a partition, whose end counts the transaction markers after the last record."""
        if source in self.positions:
            self.positions[source] = max(self.positions[source], offset)

    def restart(self, source: Source, offset: int) -> None:
        """Note that a partition is read again from an offset."""
        if source in self.positions:
            self.positions[source] = offset

    def is_behind(self, source: Source, ends: Mapping[Source, int]) -> bool:
        """Whether a partition has more than was read of it: its end is in `ends`, or not known."""
        return source in self.positions and self.positions[source] < ends.get(source, UNKNOWN)
