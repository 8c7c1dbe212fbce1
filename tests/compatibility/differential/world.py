"""What both brokers have before they are asked: topics, records, groups and transactions of the same names."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from kio.schema.errors import ErrorCode

from .peer import CLOSED, TIMEOUT_S, Answer, Engine, Peer
from .requests import Producer, add_group, add_partitions, batch, join, produce, subscription

TRANSIENT = {
    ErrorCode.coordinator_not_available,
    ErrorCode.coordinator_load_in_progress,
    ErrorCode.not_coordinator,
    ErrorCode.concurrent_transactions,
}


class World:
    """One broker in the state that the table expects; names are the same on every broker."""

    def __init__(self, engine: Engine, run: str) -> None:
        self.peer = Peer(engine)
        self.run = run
        self._fresh = 0
        self.plain = self.name("plain")
        self.compacted = self.name("compacted")
        self.strict = self.name("strict")
        self.untouched = self.name("untouched")
        self.growing = self.name("growing")
        self.missing = self.name("missing")
        self.dotted = self.name("with.dot")
        self.group = self.name("stable")
        self.empty_group = self.name("empty")
        self.connect_group = self.name("connect")
        self.simple_group = self.name("simple")
        self.find_coordinators()
        self.create_topics()
        self.create_groups()
        self.ongoing = self.init_producer("ongoing")
        self.add_partition(self.ongoing, self.plain, 1)
        self.produce(self.plain, batch(b"open", producer=self.ongoing), partition=1, producer=self.ongoing)
        self.idle = self.init_producer("idle")
        self.committed = self.init_producer("committed")
        self.add_partition(self.committed, self.plain, 0)
        self.produce(self.plain, batch(b"3", producer=self.committed), producer=self.committed)
        self.end(self.committed, committed=True)
        self.fenced = self.init_producer("fenced")
        self.init_producer("fenced")
        # Kafka asks whether a partition of __consumer_offsets was added, where groups meet by chance: so groups are
        # added to transactions of their own.
        self.grouped = self.init_producer("grouped")
        self.offsets = self.init_producer("offsets")
        for group in (self.group, self.empty_group):
            self.settled("add_offsets_to_txn", 3, add_group(self.offsets, group))

    @property
    def names(self) -> Mapping[str, str]:
        """What is different on every broker and is replaced in answers."""
        return {self.run: "", self.member_id: "MEMBER", self.connect_member_id: "MEMBER"}

    def name(self, name: str) -> str:
        """A name that is used in this run only."""
        return f"{name}-{self.run}"

    @property
    def fresh(self) -> str:
        """A name that was not used before, the same on every broker that is asked the same."""
        self._fresh += 1
        return self.name(f"fresh-{self._fresh}")

    # -- setting up ----------------------------------------------------------------------------------------------

    def find_coordinators(self) -> None:
        """Ask for coordinators, for which Kafka makes its internal topics."""
        for key_type in (0, 1):
            self.settled("find_coordinator", 3, {"key": self.name("any"), "key_type": key_type})

    def create_topics(self) -> None:
        self.create_topic(self.plain, 2, retention_ms="-1")
        self.create_topic(self.compacted, 1, cleanup_policy="compact")
        self.create_topic(self.strict, 1, max_message_bytes="500", retention_ms="1000000000")
        self.create_topic(self.untouched)
        self.create_topic(self.growing, 2)
        self.create_topic(self.dotted.replace(".", "_"))
        for value in (b"0", b"1", b"2"):
            self.produce(self.plain, batch(value))

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Create a topic and wait until the broker knows it."""
        entries = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        topic = {"name": name, "num_partitions": partitions, "replication_factor": 1, "configs": entries}
        [created] = self.peer.ask("create_topics", 7, {"topics": [topic], "timeout": 5000}).topics
        assert created.error_code is ErrorCode.none, created
        wanted = {"topics": [{"name": name}]}
        self._until(lambda: self.peer.ask("metadata", 12, wanted).topics[0].error_code is ErrorCode.none)
        self._until(lambda: self.end_offset(name) == 0)
        return name

    def end_offset(self, topic: str, partition: int = 0) -> int:
        """The end of a partition, -1 when it is not there."""
        wanted = {"topics": [{"name": topic, "partitions": [{"partition_index": partition, "timestamp": -1}]}]}
        return int(self.peer.ask("list_offsets", 7, {"replica_id": -1} | wanted).topics[0].partitions[0].offset)

    def create_groups(self) -> None:
        rows = [{"partition_index": 0, "committed_offset": 1, "committed_metadata": "note"}]
        commit = {"group_id": self.empty_group, "topics": [{"name": self.plain, "partitions": rows}]}
        self.settled("offset_commit", 8, commit)
        self.member_id = self.join(self.group, "consumer")
        self.connect_member_id = self.join(self.connect_group, "connect")

    def join(self, group: str, protocol_type: str) -> str:
        """Make a group of one member that is stable; gives the member's id."""
        protocols = [{"name": "range", "metadata": subscription(self.plain)}]
        joined = self.settled("join_group", 5, join(group, protocol_type, protocols=protocols))
        joined = self.settled("join_group", 5, join(group, protocol_type, joined.member_id, protocols=protocols))
        identity = {"group_id": group, "generation_id": 1, "member_id": joined.member_id}
        assignments = [{"member_id": joined.member_id, "assignment": b"assigned"}]
        self.settled("sync_group", 3, identity | {"assignments": assignments})
        return str(joined.member_id)

    # -- producing and transactions ------------------------------------------------------------------------------

    def init_producer(self, name: str, producer: Producer | None = None, timeout_ms: int = 900_000) -> Producer:
        """Initialize a transactional id; `producer` is what it was before."""
        known = {"producer_id": producer.producer_id, "producer_epoch": producer.producer_epoch} if producer else {}
        wanted = {"transactional_id": self.name(name), "transaction_timeout": timeout_ms} | known
        answer = self.settled("init_producer_id", 4, wanted)
        return Producer(self.name(name), int(answer.producer_id), int(answer.producer_epoch))

    def add_partition(self, producer: Producer, topic: str, partition: int) -> Answer:
        topics = [{"name": topic, "partitions": [partition]}]
        return self.settled("add_partitions_to_txn", 3, add_partitions(producer, topics))

    def end(self, producer: Producer, *, committed: bool, version: int = 4) -> Answer:
        return self.settled("end_txn", version, producer._asdict() | {"committed": committed})

    def produce(
        self,
        topic: str,
        records: bytes | None,
        *,
        partition: int = 0,
        producer: Producer | None = None,
        version: int = 9,
    ) -> Answer:
        request = produce(topic, records, partition=partition, producer=producer)
        return self.peer.ask("produce", version, request)

    def settled(self, api: str, version: int, request: Mapping[str, Any]) -> Answer:
        """The answer when the coordinator is there; Kafka needs a moment for its first group and transaction."""
        answer: Answer = None

        def is_settled() -> bool:
            nonlocal answer
            answer = self.peer.ask(api, version, request)
            return not TRANSIENT.intersection(errors_in(answer))

        self._until(is_settled)
        return answer

    def _until(self, is_done: Any) -> None:
        give_up_at = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < give_up_at, "the broker did not get ready in time"
            time.sleep(0.02)


def errors_in(answer: Answer) -> Iterable[ErrorCode]:
    """All error codes of an answer."""
    if isinstance(answer, ErrorCode):
        yield answer
    elif isinstance(answer, tuple):
        for item in answer:
            yield from errors_in(item)
    elif answer is not CLOSED and hasattr(answer, "__dataclass_fields__"):
        for name in answer.__dataclass_fields__:
            yield from errors_in(getattr(answer, name))
