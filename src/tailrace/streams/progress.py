"""How far topics were read of which everything counts, against how far their logs reach: tables, and what is joined."""

from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaError, TopicPartition

from tailrace.client import Record

# Topic and partition.
Source = tuple[str, int]


class Progress:
    """The next offset of each partition, and whether anything was heard of it since it was assigned.

    What the client knows of a log's end is of its last fetch. For a partition that was just assigned there was none, or
    it was long ago, so nothing is known of it until its first record or its end arrives.
    """

    def __init__(self, positions: Mapping[Source, int]) -> None:
        self.positions = dict(positions)
        self._unheard = set(positions)

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
        else:
            return
        self._unheard.discard(source)

    def restart(self, source: Source, offset: int) -> None:
        """Note that a partition is read again from an offset."""
        if source in self.positions:
            self.positions[source] = offset
            self._unheard.add(source)

    def lacks(self, consumer: Consumer, wanted: Collection[Source], ends: dict[Source, int]) -> bool:
        """Whether one of these partitions was not read up to its end in `ends`.

        Ends that are missing there are filled in once, with what is known now, so that a table that grows all the time
        does not hold up the streams.
        """
        return any(
            source in self._unheard or position < self._end(consumer, source, ends)
            for source, position in self.positions.items()
            if source in wanted
        )

    def _end(self, consumer: Consumer, source: Source, ends: dict[Source, int]) -> int:
        if source not in ends:
            _, ends[source] = consumer.get_watermark_offsets(TopicPartition(*source), cached=True)
        return ends[source]
