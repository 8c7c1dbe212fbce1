"""aiokafka: other versions of the protocol, its own assignors."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import ProducerFenced

from .conftest import GIVE_UP_S, Clients


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


async def read(engine: Engine, topic: str, count: int, **configs: Any) -> list[bytes]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=engine.bootstrap_servers, auto_offset_reset="earliest", **configs
    ) as consumer:
        return [(await asyncio.wait_for(consumer.getone(), GIVE_UP_S)).value for _ in range(count)]


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_records_are_produced_and_consumed(engine: Engine, clients: Clients, codec: str | None) -> None:
    topic = clients.topic()

    async def scenario() -> list[bytes]:
        async with AIOKafkaProducer(
            bootstrap_servers=engine.bootstrap_servers, enable_idempotence=True, compression_type=codec
        ) as producer:
            sent = [await producer.send(topic, b"%d" % number) for number in range(100)]
            assert [(await report).offset for report in sent] == list(range(100))
        return await read(engine, topic, 100)

    assert asyncio.run(scenario()) == [b"%d" % number for number in range(100)]


def test_a_group_goes_on_where_it_committed(engine: Engine, clients: Clients, unique: Callable[[str], str]) -> None:
    topic = clients.topic()
    group = unique("group")

    async def scenario() -> list[bytes]:
        async with AIOKafkaProducer(bootstrap_servers=engine.bootstrap_servers) as producer:
            for number in range(4):
                await producer.send_and_wait(topic, b"%d" % number)
        first = await read(engine, topic, 2, group_id=group, max_poll_records=1)
        return first + await read(engine, topic, 2, group_id=group, max_poll_records=1)

    assert asyncio.run(scenario()) == [b"0", b"1", b"2", b"3"]


def test_transactions_commit_offsets_and_fence(engine: Engine, clients: Clients, unique: Callable[[str], str]) -> None:
    topic, group, transactional_id = clients.topic(), unique("group"), unique("txn")

    async def scenario() -> None:
        def new_producer() -> Any:
            return AIOKafkaProducer(bootstrap_servers=engine.bootstrap_servers, transactional_id=transactional_id)

        async with new_producer() as first:
            async with first.transaction():
                await first.send(topic, b"committed")
                await first.send_offsets_to_transaction({TopicPartition(topic, 0): 5}, group)
            async with new_producer() as second:
                async with second.transaction():
                    await second.send(topic, b"successor")
                with pytest.raises(ProducerFenced):
                    async with first.transaction():
                        await first.send(topic, b"zombie")
        found = await read(engine, topic, 2, isolation_level="read_committed")
        assert found == [b"committed", b"successor"]

    asyncio.run(scenario())
    [position] = clients.consumer(group=group).committed([clients.partition(topic)], GIVE_UP_S)
    assert position.offset == 5


def test_two_members_share_the_partitions(engine: Engine, clients: Clients, unique: Callable[[str], str]) -> None:
    topic, group = clients.topic(partitions=4), unique("group")

    def member() -> Any:
        server = engine.bootstrap_servers
        return AIOKafkaConsumer(topic, bootstrap_servers=server, group_id=group, heartbeat_interval_ms=200)

    async def scenario() -> None:
        async with member() as first, member() as second:
            async with asyncio.timeout(GIVE_UP_S):
                while [len(first.assignment()), len(second.assignment())] != [2, 2]:
                    await asyncio.gather(*(member.getmany(timeout_ms=50) for member in (first, second)))
            assert first.assignment() | second.assignment() == {TopicPartition(topic, index) for index in range(4)}

    asyncio.run(scenario())


def test_topics_groups_and_offsets_are_administered(
    engine: Engine, clients: Clients, unique: Callable[[str], str]
) -> None:
    topic, group = unique("topic"), unique("group")

    async def scenario() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=engine.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, 1, 1)])
            await admin.create_partitions({topic: NewPartitions(3)})
            described = await admin.describe_topics([topic])
            while len(described[0]["partitions"]) != 3:
                await asyncio.sleep(0.05)
                described = await admin.describe_topics([topic])
            async with AIOKafkaConsumer(bootstrap_servers=engine.bootstrap_servers, group_id=group) as consumer:
                partition = TopicPartition(topic, 0)
                consumer.assign([partition])
                await consumer.commit({partition: 0})
            offsets = await admin.list_consumer_group_offsets(group)
            assert offsets[partition].offset == 0
            assert group in {name for name, _ in await admin.list_consumer_groups()}
            await admin.delete_topics([topic])
        finally:
            await admin.close()

    asyncio.run(scenario())
