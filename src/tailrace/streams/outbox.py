"""The outbox: a batch's outputs on their way to the producer, and where the journals end once they are delivered."""

from collections.abc import Collection, Mapping
from itertools import count
from operator import itemgetter
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from tailrace.client import (
    ProducerFenced,
    Record,
    TransactionAborted,
    TransactionalProducer,
    is_refusal,
    may_be_refusal,
)
from tailrace.streams.errors import Unwritable
from tailrace.streams.output import Output

_PLACE = itemgetter(0, 1)


class Outbox:
    """Outputs in order. `ends` has the offset after the last record delivered, by topic and partition.

    `topics`: those that exist, if outputs may go to others. These are looked for first: a client that knows of no such
    topic waits for it longer than a transaction lasts.
    """

    def __init__(self, topics: Collection[str] | None = None) -> None:
        self.outputs: list[Output] = []
        self.ends: dict[tuple[str, int], int] = {}
        self._topics = None if topics is None else set(topics)

    def __len__(self) -> int:
        return len(self.outputs)

    def send(self, producer: TransactionalProducer, *, one_by_one: bool = False) -> None:
        """Hand all outputs to the producer. A callback costs more than the record itself, so only the last record of
        each given partition gets one. `one_by_one`: each waits for the one before it, so that no two are in one batch.

        Raises Unwritable for one that the client does not take, TransactionAborted, ProducerFenced.
        """
        if self._topics is not None:
            self._look_for_others(producer, self._topics)
        last = dict(zip(map(_PLACE, self.outputs), count(), strict=False))
        callbacks = {index: self._delivered for (_, partition), index in last.items() if partition >= 0}
        if one_by_one:
            for index, output in enumerate(self.outputs):
                produce(producer, output, callbacks.get(index))
                producer.flush()
        else:
            self._send_all(producer, callbacks)
        self.outputs.clear()

    def _send_all(self, producer: TransactionalProducer, callbacks: Mapping[int, Any]) -> None:
        # The client takes arguments without their names in half the time, or less.
        send = producer.produce
        for index, (topic, partition, key, value, headers, timestamp) in enumerate(self.outputs):
            try:
                send(topic, value, key, partition, callbacks.get(index), None, timestamp, headers)
            except (BufferError, KafkaException, TypeError, ValueError):
                produce(producer, self.outputs[index], callbacks.get(index))  # again, to wait or to say what is wrong

    def take(self) -> list[Output]:
        """Take the outputs out."""
        taken = self.outputs.copy()
        self.outputs.clear()
        return taken

    def clear(self) -> None:
        """Forget the outputs and the ends: their transaction is over."""
        self.outputs.clear()
        self.ends = {}

    def _look_for_others(self, producer: TransactionalProducer, known: set[str]) -> None:
        for output in self.outputs:
            if output[0] not in known:
                look_for(producer, output)
                known.add(output[0])

    def _delivered(self, error: KafkaError | None, message: Record) -> None:
        # A failed delivery fails the transaction, which tells everybody.
        if error is None:
            self.ends[message.topic(), message.partition()] = message.offset() + 1


def look_for(producer: TransactionalProducer, output: Output) -> None:
    """Return if there is a topic as an output wants it. Raises Unwritable."""
    topic: object = output[0]
    if not isinstance(topic, str) or not topic:
        raise Unwritable(topic, size_of(output), f"{topic!r} is no name of a topic")
    if (error := producer.why_not_to(topic)) is not None:
        raise Unwritable(topic, size_of(output), error.str())


def produce(producer: TransactionalProducer, output: Output, on_delivery: Any) -> None:
    """Hand an output to the producer. Raises Unwritable, TransactionAborted, ProducerFenced."""
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
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if is_refusal(error):
                raise Unwritable(topic, size_of(output), error.str()) from exception
            if error.fatal() or error.code() == KafkaError._FATAL:
                raise ProducerFenced(error.str()) from exception
            # The transaction has failed meanwhile.
            producer.abort()
            raise TransactionAborted(error.str(), may_be_refusal=may_be_refusal(error)) from exception
        except (TypeError, ValueError) as wrong:  # such as a header that is a number
            raise Unwritable(topic, size_of(output), repr(wrong)) from wrong


def size_of(output: Output) -> int:
    """Bytes of key and value."""
    return sum(len(part) for part in output[2:4] if isinstance(part, bytes))
