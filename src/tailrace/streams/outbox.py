"""The outbox: a batch's outputs on their way to the producer, and where the journals end once they are delivered."""

from typing import Any

from confluent_kafka import KafkaError

from tailrace.client import Record, TransactionalProducer
from tailrace.streams.task import Output


class Outbox:
    """Outputs in order. `ends` has the offset after the last record delivered, by topic and partition."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.ends: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        return len(self.outputs)

    def send(self, producer: TransactionalProducer) -> None:
        """Hand all outputs to the producer.

        A callback costs more than the record itself, so only the last record of each given partition gets one.
        """
        last = {output[:2]: index for index, output in enumerate(self.outputs) if output[1] >= 0}
        watched = set(last.values())
        for index, output in enumerate(self.outputs):
            _produce(producer, output, self._delivered if index in watched else None)
        self.outputs.clear()

    def clear(self) -> None:
        """Forget the outputs and the ends: their transaction is over."""
        self.outputs.clear()
        self.ends = {}

    def _delivered(self, error: KafkaError | None, message: Record) -> None:
        # A failed delivery fails the transaction, which tells everybody.
        if error is None:
            self.ends[message.topic(), message.partition()] = message.offset() + 1


def _produce(producer: TransactionalProducer, output: Output, on_delivery: Any) -> None:
    topic, partition, key, value, headers, timestamp = output
    arguments: dict[str, Any] = {"key": key, "partition": partition, "timestamp": timestamp}
    if headers is not None:
        arguments["headers"] = headers
    if on_delivery is not None:
        arguments["on_delivery"] = on_delivery
    while True:
        try:
            producer.produce(topic, value, **arguments)
            return
        except BufferError:
            producer.poll(0.1)
