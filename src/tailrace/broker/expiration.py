"""Expiration: what is known of producers that are gone, by producer id in each partition and by transactional id.

As in Kafka, a producer id goes `producer.id.expiration.ms` after its last batch, a transactional id
`transactional.id.expiration.ms` after it was last used; one with an open transaction stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from tailrace.broker.events import TransactionalIdForgotten

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

log = structlog.get_logger()


def forget_producers(broker: Broker) -> None:
    """Forget who has not been heard of for long."""
    now_ms = broker.now_ms()
    idle_ms = broker.config.producer_id_expiration_ms
    producer_ids = sum(
        partition.producers.forget_idle(now_ms, idle_ms, partition.log_end_offset)
        for topic in broker.state.topics
        for partition in topic.partitions
    )
    unused = broker.state.transactions.unused(now_ms - broker.config.transactional_id_expiration_ms)
    if unused:
        broker.record(events=[TransactionalIdForgotten(each.transactional_id) for each in unused])
    if producer_ids or unused:
        log.info("expiration", producer_ids=producer_ids, transactional_ids=len(unused))
