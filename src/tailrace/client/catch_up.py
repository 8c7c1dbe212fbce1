"""Catching up: when has a reader seen all that its partitions held when it began?"""

from collections.abc import Mapping
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaError

from tailrace.client.record import Record
from tailrace.client.watermarks import all_ends


class CatchUp:
    """The partitions that a reader is still `behind` in, by topic and partition, of which the `ends` are known; `note`
    each record it gives.

    A partition is done at the end that it had at the start, or at the end that the client reports, which it does only
    when nothing more comes: the one is never reached when transaction markers stand last, the other not while others
    keep writing. `starts`: the first offset that the reader, with `enable.partition.eof`, reads of each partition;
    `ends`: where it is done, of those partitions that are to be read just so far, even if transactions that are open
    now have to end before.
    """

    def __init__(
        self,
        reader: Consumer,
        starts: Mapping[tuple[str, int], int],
        timeout_s: float = 30.0,
        *,
        ends: Mapping[tuple[str, int], int] = MappingProxyType({}),
    ) -> None:
        self._given = {partition: end for partition, end in ends.items() if partition in starts}
        self.ends = self._given | all_ends(reader, starts.keys() - self._given.keys(), timeout_s)
        self.behind = {partition for partition, start in starts.items() if start < self.ends[partition]}

    def note(self, record: Record) -> None:
        """Take a record, or the end of a partition, into account."""
        if not self.behind:
            return
        error = record.error()
        partition = (record.topic(), record.partition())
        if error is None:
            is_done = record.offset() + 1 >= self.ends.get(partition, 0)
        else:
            is_end = error.code() == KafkaError._PARTITION_EOF
            is_done = is_end and record.offset() >= self._given.get(partition, 0)
        if is_done:
            self.behind.discard(partition)
