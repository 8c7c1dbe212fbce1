"""How far topics were read of which everything counts, against how far their logs reach: tables, and what is joined."""

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError

from tailrace.client import Record

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

    def note(self, record: Record) -> None:
        """Take account of a record, or of the end of a partition; those of other topics change nothing."""
        source = (record.topic(), record.partition())
        if source not in self.positions:
            return
        error = record.error()
        if error is None:
            self.positions[source] = record.offset() + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # The end counts the transaction markers after the last record.
            self.positions[source] = max(self.positions[source], record.offset())

    def restart(self, source: Source, offset: int) -> None:
        """Note that a partition is read again from an offset."""
        if source in self.positions:
            self.positions[source] = offset

    def is_behind(self, source: Source, ends: Mapping[Source, int]) -> bool:
        """Whether a partition has more than was read of it: its end is in `ends`, or not known."""
        return source in self.positions and self.positions[source] < ends.get(source, UNKNOWN)
