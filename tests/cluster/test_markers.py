"""What exactly once rests on, and not every release of Apache Kafka does: each partition of a transaction gets its
marker, also one that has no leader when the transaction ends (KAFKA-20734)."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tailrace.testing.kafka import KafkaProcess

pytestmark = pytest.mark.kafka

GIVE_UP_S = 60.0


class SecondBroker(KafkaProcess):
    """A broker of the cluster of a node that is its controller as well."""

    def __init__(self, first: KafkaProcess) -> None:
        super().__init__()
        self._controller_port = first._controller_port

    def _configuration(self) -> dict[str, str]:
        own = {"process.roles": "broker", "node.id": "2", "listeners": f"PLAINTEXT://{self.bootstrap_servers}"}
        return super()._configuration() | own


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.1)


def committed_value(bootstrap_servers: str, topic: str) -> bytes | None:
    """The first record that a reader of committed records gets."""
    settings = {"bootstrap.servers": bootstrap_servers, "isolation.level": "read_committed"}
    consumer = Consumer({**settings, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        message = consumer.poll(10)
    finally:
        consumer.close()
    return None if message is None else message.value()


def test_what_was_committed_while_its_partition_had_no_leader_is_there_when_it_has_one() -> None:
    with KafkaProcess() as first:
        admin = AdminClient({"bootstrap.servers": first.bootstrap_servers, "log_level": 0})

        def leader() -> int:
            return admin.list_topics("payments", timeout=10).topics["payments"].partitions[0].leader

        producer = Producer({"bootstrap.servers": first.bootstrap_servers, "transactional.id": "payer"})
        producer.init_transactions(GIVE_UP_S)  # the coordinator is the first broker: there is no other one yet
        with SecondBroker(first) as second:
            until(lambda: 2 in admin.list_topics(timeout=10).brokers)
            created = admin.create_topics([NewTopic("payments", 1, replica_assignment=[[2]])])
            created["payments"].result(GIVE_UP_S)
            until(lambda: leader() == 2)
            producer.begin_transaction()
            producer.produce("payments", b"paid")
            assert producer.flush(GIVE_UP_S) == 0
            second.kill()
            until(lambda: leader() == -1)
            producer.commit_transaction(GIVE_UP_S)
            second.start()
            until(lambda: leader() == 2)
            assert committed_value(first.bootstrap_servers, "payments") == b"paid"
