"""Configured Kafka clients: confluent-kafka with settings that are safe for money.

Owns which settings are used and how errors of a transaction are told apart. It wraps no client API: what it returns
are confluent-kafka's own objects, except for the transactional producer, whose error handling everyone would repeat.
"""

from tailrace.client.admin import Topic, admin, ensure_topics, wait_for_broker, wait_for_topics
from tailrace.client.catch_up import CatchUp
from tailrace.client.consumer import consumer, read_to_end
from tailrace.client.consumer_protocol import (
    assigned_partitions,
    has_consumer_protocol,
    membership_ended,
    release_instance,
)
from tailrace.client.dead_letter import dead_letter_headers
from tailrace.client.errors import (
    BrokerUnreachable,
    ConsumerFenced,
    ConsumerMisplaced,
    ConsumerStalled,
    GroupProtocolUnsupported,
    InstanceUnreleased,
    ProducerFenced,
    TransactionAborted,
)
from tailrace.client.fetching import Fetching
from tailrace.client.partitioner import partition_of
from tailrace.client.passing import is_passing, is_unreachable
from tailrace.client.producer import producer
from tailrace.client.record import Record, consume, consume_available
from tailrace.client.refusals import is_refusal, may_be_refusal
from tailrace.client.transaction import TransactionalProducer
from tailrace.client.watermarks import all_ends, ends, watermarks

__all__ = [
    "BrokerUnreachable",
    "CatchUp",
    "ConsumerFenced",
    "ConsumerMisplaced",
    "ConsumerStalled",
    "Fetching",
    "GroupProtocolUnsupported",
    "InstanceUnreleased",
    "ProducerFenced",
    "Record",
    "Topic",
    "TransactionAborted",
    "TransactionalProducer",
    "admin",
    "all_ends",
    "assigned_partitions",
    "consume",
    "consume_available",
    "consumer",
    "dead_letter_headers",
    "ends",
    "ensure_topics",
    "has_consumer_protocol",
    "is_passing",
    "is_refusal",
    "is_unreachable",
    "may_be_refusal",
    "membership_ended",
    "partition_of",
    "producer",
    "read_to_end",
    "release_instance",
    "wait_for_broker",
    "wait_for_topics",
    "watermarks",
]
