"""The transactional producer: librdkafka's, with its errors sorted and one hole in it watched.

librdkafka repeats an EndTxn whose answer it missed, and a broker without KIP-890's second part cannot tell the repeat
from the end of the next transaction. The requests sent are counted in librdkafka's statistics: more EndTxn than
transactions ended means that a stray one may be under way, and the producer has to be replaced by one with the same
transactional id, whose higher epoch fences it.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from tailrace.client.config import PRODUCER, merged
from tailrace.client.errors import ProducerFenced, TransactionAborted
from tailrace.client.passing import is_passing
from tailrace.client.producer import dotted
from tailrace.client.refusals import may_be_refusal

log = logging.getLogger(__name__)

# Without a time of their own, librdkafka's calls return only when a broker answers. A call that ran out of time and is
# made again resumes what is under way.
TRY_S = 2.0
# A topic that was made a moment ago is not known everywhere.
TOPIC_PATIENCE_S = 1.0
TOPIC_PAUSE_S = 0.05


class TransactionalProducer:
    """One transaction at a time; not thread-safe.

    `produce` and `poll` are librdkafka's own methods, called without a layer in between.
    While no broker answers, calls wait, and ask `give_up` every now and then whether to go on.
    Raises ProducerFenced when the transactional id belongs to someone newer, or when the wait was given up.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        transactional_id: str,
        *,
        give_up: Callable[[], bool] = lambda: False,
        **config: object,
    ) -> None:
        settings = dotted(config) | {
            "transactional.id": transactional_id,
            "stats_cb": self._count_end_txn,
            "statistics.interval.ms": 1000,
        }
        settings.setdefault("transaction.timeout.ms", 10_000)
        self.transactional_id = transactional_id
        self._give_up = give_up
        self._ended = 0
        self._end_txn_sent = 0
        self._is_spent = False
        self._producer = Producer(merged(PRODUCER, bootstrap_servers, settings))
        self.produce = self._producer.produce
        self.poll = self._producer.poll
        self._guard(self._producer.init_transactions, TRY_S)

    @property
    def must_be_replaced(self) -> bool:
        """Whether it is at its end, or an EndTxn was repeated, so that a stray one could end a later transaction.

        A record that was refused leaves a gap in the sequence numbers of its partition, at which the next transaction
        would fail.
        """
        return self._is_spent or self._end_txn_sent > self._ended

    def begin(self) -> None:
        """Begin a transaction."""
        self._guard(self._producer.begin_transaction)

    def send_offsets(self, offsets: Sequence[TopicPartition], group_metadata: Any) -> None:
        """Make the consumer group's offsets (each the next to read) part of the transaction.

        `group_metadata`: fetched just now, so that a member which lost its place is fenced.
        """
        if offsets:
            # Not resumable, and over at the latest when the transaction's own time is.
            self._guard(self._producer.send_offsets_to_transaction, list(offsets), group_metadata)

    def commit(self) -> None:
        """Commit; when this returns, everything sent since `begin` is durable and visible.

        Raises TransactionAborted when it was rolled back instead, ProducerFenced when that cannot be known here.
        """
        self._ended += 1
        self._guard(self._producer.commit_transaction, TRY_S)

    def abort(self) -> None:
        """Roll the transaction back."""
        self._ended += 1
        try:
            self._guard(self._producer.abort_transaction, TRY_S)
        except ProducerFenced as fenced:
            # A broker that let no partition be part of it knows no transaction to abort. librdkafka is at its end then.
            if _code(fenced.__cause__) != KafkaError.INVALID_TXN_STATE:
                raise
            self._is_spent = True

    def flush(self) -> None:
        """Wait until each record that was sent is acknowledged, or has failed."""
        while self._flush(TRY_S) > 0:
            if self._give_up():
                raise ProducerFenced(f"{self.transactional_id}: records are still on their way")

    def why_not_to(self, topic: str) -> KafkaError | None:
        """Why nothing can be sent to a topic, such as that it does not exist, or None.

        A cluster that makes topics when they are written to makes this one. When none answers, nothing is said.
        """
        deadline = time.monotonic() + TOPIC_PATIENCE_S
        while True:
            try:
                found = self._producer.list_topics(topic, timeout=TRY_S).topics.get(topic)
            except KafkaException:
                return None
            error = None if found is None else found.error
            if error is None or not is_passing(error) or time.monotonic() > deadline:
                return error
            time.sleep(TOPIC_PAUSE_S)

    def close(self) -> None:
        """Leave; an open transaction is aborted by the next producer of the same id, or by its timeout."""
        self._producer.purge()
        with contextlib.suppress(KafkaException):  # a fenced one has nothing to wait for
            self._producer.flush(1.0)

    def _flush(self, timeout_s: float) -> int:
        try:
            return int(self._producer.flush(timeout_s))
        except KafkaException as exception:
            raise ProducerFenced(f"{self.transactional_id}: {exception.args[0].str()}") from exception

    def _guard(self, call: Callable[..., object], *args: object) -> None:
        """Call, again while the error is retriable; sort the other errors into ours."""
        while True:
            try:
                call(*args)
                return
            except KafkaException as exception:
                error = exception.args[0]
                if error.fatal():
                    raise ProducerFenced(f"{self.transactional_id}: {error.str()}") from exception
                if error.txn_requires_abort():
                    self._is_spent |= may_be_refusal(error)
                    self._give_back(error)
                    raise TransactionAborted(
                        f"{self.transactional_id}: {error.str()}", may_be_refusal=may_be_refusal(error)
                    ) from exception
                if not error.retriable() or self._give_up():
                    raise ProducerFenced(f"{self.transactional_id}: {error.str()}") from exception
                log.debug("%s: %s; trying again", self.transactional_id, error.str())

    def _give_back(self, error: KafkaError) -> None:
        """Abort after an error, which is the reason, too, where the broker was quicker and has fenced the producer."""
        try:
            self.abort()
        except ProducerFenced as fenced:
            raise ProducerFenced(str(fenced), may_be_refusal=may_be_refusal(error)) from fenced

    def _count_end_txn(self, statistics: str) -> None:
        brokers = msgspec.json.decode(statistics).get("brokers", {})
        self._end_txn_sent = sum(broker.get("req", {}).get("EndTxn", 0) for broker in brokers.values())


def _code(exception: BaseException | None) -> int | None:
    return int(exception.args[0].code()) if isinstance(exception, KafkaException) else None
