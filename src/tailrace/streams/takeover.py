"""Taking over the partitions that a rebalance gives: acknowledged at once, begun when they are certain."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tailrace.client import BrokerUnreachable, is_unreachable
from tailrace.streams.assignment import Assignment
from tailrace.streams.config import StreamsConfig
from tailrace.streams.feed import Feed
from tailrace.streams.ownership import Ownership
from tailrace.streams.progress import Source
from tailrace.streams.restore import ENDS_TIMEOUT_S

log = structlog.get_logger("tailrace.streams")


class Takeover:
    """`commit`: ends the transaction that is open, which may not stay so for as long as restoring may take.

    `stopped`: whether to give up. All functions raise BrokerUnreachable when the cluster goes away meanwhile, or is not
    waited for, and OffsetsLost.
    """

    def __init__(
        self,
        application: str,
        config: StreamsConfig,
        consumer: Consumer,
        feed: Feed,
        assignment: Assignment,
        commit: Callable[[], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._application = application
        self._bootstrap_servers = config.bootstrap_servers
        self._is_incremental = config.group_protocol == "consumer"
        self._consumer = consumer
        self._feed = feed
        self._assignment = assignment
        self._ownership = Ownership(application, config.bootstrap_servers, consumer, stopped)
        self._commit = commit
        self._stopped = stopped
        # What waits, as was said last.
        self._held: list[Source] = []

    @property
    def is_complete(self) -> bool:
        """Whether all is begun that was given, as far as its tasks have all their partitions here."""
        return not self._assignment.unconfirmed

    def take(self, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions, within a rebalance: all that are owned from now on, or those in addition (KIP-848)."""
        given = [(tp.topic, tp.partition) for tp in partitions]
        if self._is_incremental:
            # Before anything that takes time: while the client waits to hear that they are taken, it may tell the
            # coordinator, after a lost connection, that it does not have them.
            self._feed.acknowledge()
            self._assignment.own(given)
            self.go_on()
        else:
            self._begin(given)

    def go_on(self) -> bool:
        """Begin with those partitions that the group confirms, and give whether there are any.

        The next rebalance takes away the others, or the group confirms them later.
        """
        with self._waiting():
            confirmed = self._ownership.of(self._assignment.unconfirmed)
        if confirmed:
            self._begin(confirmed)
        elif not self.is_complete:
            self._tell_of_held()
        return bool(confirmed)

    def _begin(self, partitions: Iterable[Source]) -> None:
        self._commit()
        with self._waiting():
            sources = self._assignment.open(self._consumer, partitions)
        self._feed.begin(sources)
        self._tell_of_held()

    def _tell_of_held(self) -> None:
        held, self._held = self._held, self._assignment.held()
        if self._held and self._held != held:
            log.warning("partitions wait", application=self._application, partitions=self._held)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as exception:
            if is_unreachable(exception) or self._stopped():
                raise BrokerUnreachable(self._bootstrap_servers, ENDS_TIMEOUT_S) from exception
            raise
