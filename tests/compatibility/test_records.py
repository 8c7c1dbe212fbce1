"""Producing and consuming with confluent-kafka: what holds on Apache Kafka holds on the embedded broker."""

from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec

from .conftest import GIVE_UP_S, Clients

OFFSET: Any = OffsetSpec  # its methods are not typed


def produce(clients: Clients, topic: str, values: list[bytes], **configs: object) -> list[Any]:
    """Produce and give the reports, in order."""
    reports: list[Any] = []
    producer = clients.producer(**configs)
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, message: reports.append(message))
    assert producer.flush(GIVE_UP_S) == 0
    return reports


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_in_every_compression(clients: Clients, codec: str) -> None:
    topic = clients.topic()
    values = [b"%d " % number * 50 for number in range(500)]
    produce(clients, topic, values, compression_type=codec, linger_ms=20)
    assert clients.values(topic) == values


def test_a_report_names_the_offset(clients: Clients) -> None:
    topic = clients.topic()
    reports = produce(clients, topic, [b"a", b"b", b"c"])
    assert [report.offset() for report in reports] == [0, 1, 2]


def test_key_value_headers_and_timestamp_are_kept(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer()
    producer.produce(topic, None, b"key", timestamp=1234567890123, headers=[("h", b"1"), ("h", None)])
    producer.flush(GIVE_UP_S)
    message = clients.consumer(topic).poll(GIVE_UP_S)
    assert (message.key(), message.value(), message.timestamp()) == (b"key", None, (1, 1234567890123))
    assert message.headers() == [("h", b"1"), ("h", None)]


def test_log_append_time_replaces_the_timestamp(clients: Clients) -> None:
    topic = clients.topic(message_timestamp_type="LogAppendTime")
    producer = clients.producer()
    producer.produce(topic, b"v", timestamp=1000)
    producer.flush(GIVE_UP_S)
    kind, timestamp = clients.consumer(topic).poll(GIVE_UP_S).timestamp()
    assert kind == 2
    assert timestamp > 1_600_000_000_000


def test_a_large_record_fits_and_a_too_large_one_is_refused(clients: Clients) -> None:
    topic = clients.topic(max_message_bytes="2000000")
    small = clients.topic(max_message_bytes="1000")
    large = b"x" * 1_500_000
    produce(clients, topic, [large], message_max_bytes=3_000_000)
    assert clients.values(topic, fetch_max_bytes=1_000_000, max_partition_fetch_bytes=1000) == [large]
    [report] = produce(clients, small, [b"x" * 5000])
    assert report.error().code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_a_compacted_topic_refuses_records_without_key(clients: Clients) -> None:
    topic = clients.topic(cleanup_policy="compact")
    [report] = produce(clients, topic, [b"no key"])
    assert report.error().code() == KafkaError.INVALID_RECORD


def test_a_topic_that_does_not_exist_is_an_error(clients: Clients) -> None:
    consumer = clients.consumer(clients.unique("missing"))
    message = consumer.poll(GIVE_UP_S)
    assert message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_offsets_are_found_by_timestamp(clients: Clients) -> None:
    topic = clients.topic()
    producer = clients.producer(linger_ms=50)
    for timestamp in (1000, 3000, 2000):
        producer.produce(topic, b"v", timestamp=timestamp)
    producer.flush(GIVE_UP_S)
    partition = TopicPartition(topic, 0)
    wanted = {
        "earliest": OFFSET.earliest(),
        "latest": OFFSET.latest(),
        "greatest timestamp": OFFSET.max_timestamp(),
        "at 1500": OFFSET.for_timestamp(1500),
        "at 9000": OFFSET.for_timestamp(9000),
    }
    found = {
        name: clients.admin.list_offsets({partition: spec})[partition].result(GIVE_UP_S).offset
        for name, spec in wanted.items()
    }
    assert found == {"earliest": 0, "latest": 3, "greatest timestamp": 1, "at 1500": 1, "at 9000": -1}


def test_an_offset_out_of_range_is_reported(clients: Clients) -> None:
    topic = clients.topic()
    produce(clients, topic, [b"v"])
    consumer = clients.consumer(auto_offset_reset="error")
    consumer.assign([TopicPartition(topic, 0, 100)])
    error = consumer.poll(GIVE_UP_S).error()
    assert error.code() == KafkaError._AUTO_OFFSET_RESET


def test_a_consumer_waits_for_the_next_record(clients: Clients) -> None:
    topic = clients.topic()
    consumer = clients.consumer(fetch_wait_max_ms=5000)
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert consumer.poll(0.3) is None
    produce(clients, topic, [b"late"])
    assert consumer.poll(2).value() == b"late"


def test_many_partitions_are_read_side_by_side(clients: Clients) -> None:
    topic = clients.topic(partitions=8)
    producer = clients.producer()
    for number in range(800):
        producer.produce(topic, b"%d" % number, partition=number % 8)
    producer.flush(GIVE_UP_S)
    consumer = clients.consumer(topic)
    found: dict[int, list[int]] = {}
    while sum(map(len, found.values())) < 800:
        message = consumer.poll(GIVE_UP_S)
        found.setdefault(message.partition(), []).append(int(message.value()))
    assert found == {partition: list(range(partition, 800, 8)) for partition in range(8)}
