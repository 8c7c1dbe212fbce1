"""Where reading a topic begins and ends."""

from collections.abc import Iterable, Iterator
from threading import Event
from typing import Any, NamedTuple

from tailrace.commands.cluster import ANSWER_WITHIN_S
from tailrace.commands.failure import CommandFailed

POLL_S = 0.2
BATCH_RECORDS = 1000


class Start(NamedTuple):
    """Where to begin: at the beginning, an offset or a moment; without any of them, at the end."""

    at_beginning: bool = False
    offset: int | None = None
    timestamp_ms: int | None = None


def start_offsets(reader: Any, topic: str, partitions: Iterable[int], start: Start) -> dict[tuple[str, int], int]:
    """The first offset to read of each partition; an offset outside of a partition becomes the nearest in it."""
    from tailrace.client import watermarks

    found = {}
    for partition in partitions:
        low, high = watermarks(reader, topic, partition, ANSWER_WITHIN_S)
        if start.at_beginning:
            found[topic, partition] = low
        elif start.offset is not None:
            found[topic, partition] = min(max(start.offset, low), high)
        elif start.timestamp_ms is not None:
            at = _offset_at(reader, topic, partition, start.timestamp_ms)
            found[topic, partition] = at if at >= 0 else high
        else:
            found[topic, partition] = high
    return found


def _offset_at(reader: Any, topic: str, partition: int, timestamp_ms: int) -> int:
    from confluent_kafka import KafkaException, TopicPartition

    asked = [TopicPartition(topic, partition, timestamp_ms)]
    (answer,) = reader.offsets_for_times(asked, timeout=ANSWER_WITHIN_S)
    if answer.error is not None:
        raise KafkaException(answer.error)
    offset: int = answer.offset
    return offset


class Reading:
    """Records as they come, until `stop`; with `until_end` up to the end that the partitions have at the start."""

    def __init__(self, reader: Any, stop: Event, *, until_end: bool) -> None:
        self._reader = reader
        self._stop = stop
        self._until_end = until_end
        self._end: Any = None

    def assign(self, starts: dict[tuple[str, int], int]) -> None:
        """Read partitions from these offsets on."""
        from confluent_kafka import TopicPartition

        self._expect_end(starts)
        self._reader.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in starts.items()])

    def subscribe(self, topic: str) -> None:
        """Read the partitions that the group gives to this member."""
        self._reader.subscribe([topic], on_assign=self._assigned)

    def _assigned(self, _: Any, partitions: list[Any]) -> None:
        # Where the group stopped is unknown here; the client reports the end when there is nothing to read.
        self._expect_end({(p.topic, p.partition): 0 for p in partitions})

    def _expect_end(self, starts: dict[tuple[str, int], int]) -> None:
        from tailrace.client import CatchUp

        if self._until_end:
            self._end = CatchUp(self._reader, starts, ANSWER_WITHIN_S)

    @property
    def _is_done(self) -> bool:
        return self._stop.is_set() or (self._end is not None and not self._end.behind)

    def records(self) -> Iterator[list[Any]]:
        """What arrives, a list at a time. Raises CommandFailed when the client gives up."""
        from confluent_kafka import KafkaError

        from tailrace.client import consume_available

        while not self._is_done:
            arrived = []
            for record in consume_available(self._reader, BATCH_RECORDS, POLL_S):
                error = record.error()
                if self._end is not None:
                    self._end.note(record)
                if error is None:
                    arrived.append(record)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise CommandFailed(f"reading {record.topic()} failed: {error.str()}")
            if arrived:
                yield arrived
