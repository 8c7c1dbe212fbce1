"""How far sources have read: the compacted offsets topic, in Apache Kafka Connect's format.

Key `["connector",{partition}]`, value `{offset}`, both JSON. Offsets are written in the transaction of the records
that they follow, so a source continues exactly after what its readers can see.
"""

from collections.abc import Mapping

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import BrokerUnreachable, Topic, admin, consumer, ensure_topics, watermarks
from tailrace.connect.record import Offset

TIMEOUT_S = 30.0


def offset_key(connector: str, partition: Offset) -> bytes:
    """Give the record's key for one part of a connector's source."""
    return msgspec.json.encode([connector, partition])


def offset_value(offset: Offset) -> bytes:
    """Give the record's value."""
    return msgspec.json.encode(offset)


def create_offsets_topic(bootstrap_servers: str, topic: str) -> None:
    """Create the topic when it is missing; one that exists stays as it is."""
    if topic not in admin(bootstrap_servers).list_topics(timeout=TIMEOUT_S).topics:
        ensure_topics(bootstrap_servers, [Topic(topic, 1, {"cleanup.policy": "compact"})])


class StoredOffsets:
    """The offsets of one connector as they stood when they were read."""

    def __init__(self, connector: str, stored: Mapping[bytes, bytes]) -> None:
        self._offsets: dict[bytes, Offset] = {}
        for key, value in stored.items():
            owner, partition = msgspec.json.decode(key)
            if owner == connector:
                self._offsets[_canonical(partition)] = msgspec.json.decode(value)

    def read(self, partition: Offset) -> Offset | None:
        """Give the offset of one part of the source, None when there is none."""
        return self._offsets.get(_canonical(partition))


def read_offsets(bootstrap_servers: str, topic: str, connector: str) -> StoredOffsets:
    """Read a connector's offsets, up to everything that was written before the call.

    Reading committed records to their end is not enough: while another connector's transaction is open, it hides what
    was committed after its first record. So this waits until the true end can be read.
    Raises BrokerUnreachable.
    """
    ends = _ends(bootstrap_servers, topic)
    # The end is told by an answer without records, for which a broker otherwise takes its time.
    reader = consumer(bootstrap_servers, "none", enable_partition_eof=True, fetch_wait_max_ms=10)
    try:
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
        return StoredOffsets(connector, _read_to(reader, ends, bootstrap_servers))
    finally:
        reader.close()


def _ends(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """Give the offset after the last record of each partition that has any, open transactions included."""
    asker = consumer(bootstrap_servers, "none", isolation_level="read_uncommitted")
    try:
        ends = {}
        for partition in asker.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions:
            low, high = watermarks(asker, topic, partition, TIMEOUT_S)
            if high > low:
                ends[partition] = high
        return ends
    finally:
        asker.close()


def _read_to(reader: Consumer, ends: dict[int, int], bootstrap_servers: str) -> dict[bytes, bytes]:
    stored: dict[bytes, bytes] = {}
    while ends:
        message = reader.poll(TIMEOUT_S)
        if message is None:
            raise BrokerUnreachable(bootstrap_servers, TIMEOUT_S)
        error = message.error()
        if error is None:
            key, value = message.key(), message.value()
            if key is not None and value is not None:
                stored[key] = value
            elif key is not None:
                stored.pop(key, None)
        elif error.code() == KafkaError._PARTITION_EOF:
            partition, offset = message.partition(), message.offset()
            if partition in ends and offset is not None and offset >= ends[partition]:
                del ends[partition]
        elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
            raise KafkaException(error)
    return stored


def _canonical(partition: Offset) -> bytes:
    return msgspec.json.encode(partition, order="sorted")
