"""Fraudulent payments, with nothing but a Kafka client: what `examples.fraud.stream` does without being asked.

Reads payments that have a probability of fraud already, and passes on those above 0.8, exactly once: the records and
the offsets of what they were made of are one transaction.
"""

import signal
import sys
import threading

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

BATCH = 500


def passes(value: bytes) -> bool:
    """Whether a payment is to be passed on."""
    payment: dict[str, float] = msgspec.json.decode(value)
    return payment["fraud_probability"] > 0.8


def run(bootstrap_servers: str, stop: threading.Event) -> None:
    """Filter until `stop` is set. A failed transaction ends it; the next run goes on from the last one that did not."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "fraud-native",
            "group.instance.id": "fraud-native-1",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": "fraud-native-1"})
    producer.init_transactions(30)
    consumer.subscribe(["scored_payments"])
    try:
        while not stop.is_set():
            records = consumer.consume(BATCH, 0.1)
            if records:
                _pass_on(consumer, producer, records)
    finally:
        consumer.close()


def _pass_on(consumer: Consumer, producer: Producer, records: list) -> None:  # type: ignore[type-arg]
    producer.begin_transaction()
    positions = {}
    for record in records:
        if record.error() is not None:
            raise KafkaException(record.error())
        positions[record.topic(), record.partition()] = record.offset() + 1
        if passes(record.value()):
            producer.produce("fraudulent_payments", record.value(), key=record.key())
    offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
    producer.commit_transaction()


if __name__ == "__main__":
    stopped = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: stopped.set())
    run(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092", stopped)
