"""The producers of a worker: two, which take turns at its transactions."""

from collections.abc import Callable

import structlog
from confluent_kafka import KafkaException

from tailrace.client import ProducerFenced, TransactionalProducer

log = structlog.get_logger("tailrace.streams")


class Producers:
    """The producer whose turn it is: the `current` one; `make` makes that of a number.

    When a transaction has ended, its markers are still being written for a moment. Meanwhile Apache Kafka refuses to
    begin another one of the same transactional id, and librdkafka asks again only after 20 ms. So the next transaction
    is the other producer's. Which offsets are the last is settled by the order in which the group was told them.
    """

    def __init__(self, make: Callable[[int], TransactionalProducer], on_replaced: Callable[[], None]) -> None:
        self._make = make
        self._on_replaced = on_replaced
        # Both at once: whatever a predecessor has left open of either is aborted.
        self._producers = [make(0), make(1)]
        self._turn = 0

    @property
    def current(self) -> TransactionalProducer:
        """The one whose turn it is."""
        return self._producers[self._turn]

    def next(self) -> None:
        """Give the turn to the other; when a transaction has ended."""
        self.renew()
        self._turn = 1 - self._turn
        self.renew()  # that it has to be replaced may have been seen only by now

    def renew(self) -> TransactionalProducer:
        """Put another one in the place of the current one if that is at its end; while no transaction is open."""
        if self.current.must_be_replaced:
            log.warning(
                "the producer is replaced: a record was refused, or an EndTxn was sent twice and has to be fenced"
            )
            self.current.close()
            self._producers[self._turn] = self._make(self._turn)
            self._on_replaced()
        return self.current

    def poll(self) -> None:
        """Let the clients do their work. Raises ProducerFenced."""
        for producer in self._producers:
            try:
                producer.poll(0)
            except KafkaException as exception:
                raise ProducerFenced(f"{producer.transactional_id}: {exception.args[0].str()}") from exception

    def close(self) -> None:
        """Let go of both. What is open is left to the next one of its transactional id, which aborts it."""
        for producer in self._producers:
            producer.close()
