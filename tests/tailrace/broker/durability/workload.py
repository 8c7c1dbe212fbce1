"""Clients at work: transactions of several producers at once, plain records, a reader, compaction, trimmed logs."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random
from typing import Any

from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.compaction import Compaction
from tailrace.wire.record_batch import TRANSACTIONAL_BIT, Record, encode_batch, iter_headers, iter_records
from tests.tailrace.broker.durability.client import Client, check
from tests.tailrace.broker.durability.ledger import Ending, Ledger, SentBatch, SentTransaction

PRODUCERS = ("one", "two", "three")
TOPICS = {"plain": 2, "compacted": 1, "trimmed": 1}
CONFIGS = {
    "plain": {"segment.bytes": "2000"},
    "compacted": {"segment.bytes": "600", "cleanup.policy": "compact", "delete.retention.ms": "0"},
    "trimmed": {"segment.bytes": "1000"},
}
ALL_ACKS = -1
_values = count()


async def create_topics(broker: Broker, ledger: Ledger) -> None:
    """What comes before everything else."""
    client = Client(broker)
    for name, partitions in TOPICS.items():
        wanted = {
            "name": name,
            "num_partitions": partitions,
            "replication_factor": -1,
            "assignments": [],
            "configs": [{"name": key, "value": value} for key, value in CONFIGS[name].items()],
        }
        answer = await client.ask("create_topics", 7, topics=[wanted], timeout=1000, validate_only=False)
        check(answer.topics[0].error_code)
        ledger.topics[name] = partitions


async def work(
    broker: Broker, ledger: Ledger, random: Random, transactions: int, *, with_checkpoints: bool = True
) -> None:
    """All clients at once, until each producer has done its share of the transactions.

    Compaction and deleted records bring about checkpoints, if that is wanted.
    """
    producers = [Producer(broker, ledger, Random(random.random()), name) for name in PRODUCERS]
    share = max(transactions // len(producers), 1)
    done = asyncio.Event()
    others = [
        asyncio.create_task(write_plain(broker, ledger, Random(random.random()), done)),
        asyncio.create_task(read(broker, ledger, Random(random.random()), done)),
    ]
    if with_checkpoints:
        others.append(asyncio.create_task(keep_house(broker, done)))
    await asyncio.gather(*(producer.run(share) for producer in producers))
    done.set()
    await asyncio.gather(*others)


def new_batch(ledger: Ledger, random: Random, transaction: SentTransaction | None) -> SentBatch:
    """A batch that is about to be sent."""
    topic = random.choice(tuple(TOPICS))
    values = tuple(b"value %d" % next(_values) for _ in range(random.randint(1, 3)))
    batch = SentBatch(topic, random.randrange(TOPICS[topic]), b"key %d" % random.randrange(4), values, transaction)
    ledger.batches.append(batch)
    return batch


class Identity:
    """A producer id with its epoch and next sequences."""

    def __init__(self, producer_id: int, producer_epoch: int) -> None:
        self.fields = {"producer_id": producer_id, "producer_epoch": producer_epoch}
        self.sequences: dict[tuple[str, int], int] = {}


async def initialize(client: Client, transactional_id: str | None) -> Identity:
    """InitProducerId."""
    answer = await client.ask("init_producer_id", 4, transactional_id=transactional_id, transaction_timeout=60_000)
    check(answer.error_code)
    return Identity(answer.producer_id, answer.producer_epoch)


async def produce(client: Client, batch: SentBatch, identity: Identity, transactional_id: str | None) -> None:
    """Send a batch and remember where it is."""
    where = batch.topic, batch.partition
    sequence = identity.sequences.get(where, 0)
    data = encode_batch(
        [Record(number, 1000, batch.key, value) for number, value in enumerate(batch.values)],
        attributes=TRANSACTIONAL_BIT if transactional_id else 0,
        base_sequence=sequence,
        **identity.fields,
    )
    partition = {"index": batch.partition, "records": data}
    answer = await client.ask(
        "produce",
        9,
        transactional_id=transactional_id,
        acks=ALL_ACKS,
        timeout=1000,
        topic_data=[{"name": batch.topic, "partition_data": [partition]}],
    )
    [response] = answer.responses[0].partition_responses
    check(response.error_code)
    identity.sequences[where] = sequence + len(batch.values)
    batch.base_offset = response.base_offset


class Producer:
    """A transactional producer."""

    def __init__(self, broker: Broker, ledger: Ledger, random: Random, transactional_id: str) -> None:
        self._client = Client(broker)
        self._ledger = ledger
        self._random = random
        self._id = transactional_id

    async def run(self, transactions: int) -> None:
        """Transactions one after the other; now and then the producer begins anew, leaving one open."""
        identity = await initialize(self._client, self._id)
        self._give_up_open()
        for _ in range(transactions):
            transaction = self._begin()
            await self._fill(transaction, identity)
            if self._random.random() < 0.05:
                identity = await initialize(self._client, self._id)
                self._give_up_open()
            else:
                await self._end(transaction, identity, committed=self._random.random() < 0.7)

    def _begin(self) -> SentTransaction:
        transaction = SentTransaction(self._id, len(self._ledger.transactions))
        self._ledger.transactions.append(transaction)
        return transaction

    def _give_up_open(self) -> None:
        """A new epoch has aborted what was open."""
        for transaction in self._ledger.transactions:
            if transaction.transactional_id == self._id and transaction.ending in (Ending.OPEN, Ending.ABORTING):
                transaction.ending = Ending.ABORTED

    async def _fill(self, transaction: SentTransaction, identity: Identity) -> None:
        batches = [new_batch(self._ledger, self._random, transaction) for _ in range(self._random.randint(0, 3))]
        named: dict[str, list[int]] = {}
        for batch in batches:
            named.setdefault(batch.topic, []).append(batch.partition)
        if named:
            answer = await self._client.ask(
                "add_partitions_to_txn",
                3,
                v3_and_below_transactional_id=self._id,
                v3_and_below_producer_id=identity.fields["producer_id"],
                v3_and_below_producer_epoch=identity.fields["producer_epoch"],
                v3_and_below_topics=[{"name": name, "partitions": indexes} for name, indexes in named.items()],
            )
            for topic in answer.results_by_topic_v3_and_below:
                for partition in topic.results_by_partition:
                    check(partition.partition_error_code)
        for batch in batches:
            await produce(self._client, batch, identity, self._id)
        if not batches or self._random.random() < 0.4:
            await self._commit_offset(transaction, identity)

    async def _commit_offset(self, transaction: SentTransaction, identity: Identity) -> None:
        named = {"transactional_id": self._id, "group_id": self._id, **identity.fields}
        check((await self._client.ask("add_offsets_to_txn", 3, **named)).error_code)
        transaction.with_offset = True
        row = {"partition_index": 0, "committed_offset": transaction.number, "committed_metadata": ""}
        topics = [{"name": "plain", "partitions": [row]}]
        answer = await self._client.ask("txn_offset_commit", 3, **named, generation_id=-1, member_id="", topics=topics)
        check(answer.topics[0].partitions[0].error_code)

    async def _end(self, transaction: SentTransaction, identity: Identity, *, committed: bool) -> None:
        transaction.ending = Ending.COMMITTING if committed else Ending.ABORTING
        answer = await self._client.ask("end_txn", 3, transactional_id=self._id, committed=committed, **identity.fields)
        check(answer.error_code)
        transaction.ending = Ending.COMMITTED if committed else Ending.ABORTED


async def write_plain(broker: Broker, ledger: Ledger, random: Random, done: asyncio.Event) -> None:
    """An idempotent producer without transactions."""
    client = Client(broker)
    identity = await initialize(client, None)
    while not done.is_set():
        await produce(client, new_batch(ledger, random, None), identity, None)


async def read(broker: Broker, ledger: Ledger, random: Random, done: asyncio.Event) -> None:
    """A reader that remembers what it was given, committed or not."""
    client = Client(broker)
    positions = {(name, index): 0 for name, partitions in TOPICS.items() for index in range(partitions)}
    while not done.is_set():
        name, index = random.choice(tuple(positions))
        entry = {
            "partition": index,
            "fetch_offset": positions[name, index],
            "partition_max_bytes": 2000,
            "current_leader_epoch": -1,
            "last_fetched_epoch": -1,
            "log_start_offset": -1,
        }
        limits: dict[str, Any] = {"max_wait": 0, "min_bytes": 0, "max_bytes": 2000, "session_epoch": -1}
        answer = await client.ask(
            "fetch", 12, topics=[{"topic": name, "partitions": [entry]}], forgotten_topics_data=[], **limits
        )
        [response] = answer.responses[0].partitions
        if response.error_code == ErrorCode.offset_out_of_range:
            log = broker.state.topics.partition(name, index)
            assert log is not None
            assert log.log_start_offset > positions[name, index]
            positions[name, index] = log.log_start_offset
            continue
        check(response.error_code)
        for position, header in iter_headers(response.records or b""):
            positions[name, index] = header.last_offset + 1
            if not header.is_control:
                for record in iter_records(response.records[position : position + header.size]):
                    ledger.served[name, index, record.offset] = record.value or b""
        await asyncio.sleep(0)


async def keep_house(broker: Broker, done: asyncio.Event) -> None:
    """Compaction all the time, and now and then the oldest records of a topic are deleted."""
    client = Client(broker)
    compaction = Compaction(broker)
    trimmed = broker.state.topics.by_name("trimmed")
    assert trimmed is not None
    [log] = trimmed.partitions
    while not done.is_set():
        await compaction.clean_all()
        if log.high_watermark - log.log_start_offset > 100:
            wanted = {"partition_index": 0, "offset": log.high_watermark - 50}
            answer = await client.ask(
                "delete_records", 2, topics=[{"name": "trimmed", "partitions": [wanted]}], timeout=1000
            )
            check(answer.topics[0].partitions[0].error_code)
        for _ in range(50):
            await asyncio.sleep(0)
