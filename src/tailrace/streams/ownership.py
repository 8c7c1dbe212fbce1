"""Which partitions are this member's by the group's own word, where the client's cannot be trusted (KIP-848)."""

import time
from collections.abc import Callable, Collection

import structlog
from confluent_kafka import Consumer, KafkaException

from tailrace.client import assigned_partitions, is_passing
from tailrace.streams.progress import Source

log = structlog.get_logger("tailrace.streams")

PAUSE_S = 0.1


class Ownership:
    """Asks the coordinator of an application's group what it counts as a member's. `stopped`: whether to give up."""

    def __init__(
        self, application: str, bootstrap_servers: str, consumer: Consumer, stopped: Callable[[], bool]
    ) -> None:
        self._application = application
        self._bootstrap_servers = bootstrap_servers
        self._consumer = consumer
        self._stopped = stopped

    def of(self, partitions: Collection[Source]) -> set[Source]:
        """Those of partitions that are the member's, however long the coordinator takes to say so.

        They have to be acknowledged already: then they stay the member's until it has let them go, or has
        been given up, after which none of its commits count.
        """
        while partitions:
            try:
                member_id = self._consumer.memberid()
                return set(partitions) & assigned_partitions(self._bootstrap_servers, self._application, member_id)
            except KafkaException as exception:
                if self._stopped() or not is_passing(exception.args[0]):
                    raise
                log.info("waiting for the group's assignment", reason=exception.args[0].str())
                time.sleep(PAUSE_S)
        return set()
