"""Trials: which outputs the cluster takes, when a transaction was aborted because it did not take all of them.

A broker refuses batches, not records, and says nothing of which record it was; and what it refuses aborts the
transaction. So each output is sent alone, in transactions of which nothing ever becomes visible.
"""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError

from tailrace.client import Record, TransactionAborted, TransactionalProducer, is_refusal
from tailrace.streams.errors import Unwritable
from tailrace.streams.outbox import look_for, produce, size_of
from tailrace.streams.output import Output

# Far less than a transaction may take.
TRIAL_MAX_S = 1.0


class Trial:
    """Transactions that are aborted; `live` gives the producer, which is replaced when it is at its end."""

    def __init__(self, live: Callable[[], TransactionalProducer]) -> None:
        self._live = live
        self._open: TransactionalProducer | None = None
        self._begun_at = 0.0
        self._topics: set[str] = set()

    def refusal(self, output: Output) -> Unwritable | None:
        """Why an output cannot be written, or None.

        Raises TransactionAborted when that cannot be said now, and ProducerFenced.
        """
        producer = self._begin()
        reports: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Record) -> None:
            reports.append(error)

        try:
            if output[0] not in self._topics:
                look_for(producer, output)
                self._topics.add(output[0])
            produce(producer, output, delivered)
        except Unwritable as unwritable:
            return unwritable
        except TransactionAborted:
            self._open = None
            raise
        producer.flush()
        error = reports[0]
        return None if error is None else self._why(producer, output, error)

    def end(self) -> None:
        """Abort what is open."""
        if self._open is not None:
            producer, self._open = self._open, None
            producer.abort()

    def _begin(self) -> TransactionalProducer:
        if time.monotonic() - self._begun_at > TRIAL_MAX_S:
            self.end()
        if self._open is None:
            self._open = self._live()
            self._open.begin()
            self._begun_at = time.monotonic()
        return self._open

    def _why(self, producer: TransactionalProducer, output: Output, error: KafkaError) -> Unwritable:
        """Sort the error of an output that was not delivered, and end its transaction: a commit, which has to fail."""
        self._open = None
        try:
            producer.commit()
        except TransactionAborted as aborted:
            # What a transaction that has failed did not send was purged: why it has failed, only the commit says.
            is_purged = error.code() == KafkaError._PURGE_QUEUE
            if not (aborted.may_be_refusal if is_purged else is_refusal(error)):
                raise
            return Unwritable(output[0], size_of(output), str(aborted) if is_purged else error.str())
        raise AssertionError(f"a transaction was committed although its record to {output[0]} was not written")
