"""The topics of one run of a job: filled with records of the model, and read as such."""

import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers import model
from benchmarks.peers.arguments import ACCOUNT, schema
from benchmarks.peers.avro import decoder, encoder
from benchmarks.peers.model import Record

PARTITIONS = 4
QUEUE = 50_000
STILL_S = 2.0
"""How long nothing more comes before the output counts as whole."""


@dataclass
class Topics:
    """Input, output and table of a job, made when this is; with `copies`, the output has what the input has."""

    bootstrap_servers: str
    registry: str
    name: str
    job: str
    copies: bool

    def __post_init__(self) -> None:
        self.input, self.output, self.table = (f"{self.name}-{kind}" for kind in ("input", "output", "table"))
        self._in, self._out = model.CONTRACTS[self.job]
        self._decode = decoder(self.registry)
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        topics = [NewTopic(topic, PARTITIONS, 1) for topic in (self.input, self.output, self.table)]
        for made in admin.create_topics(topics).values():
            made.result(30)
        if self._out:
            encoder(self.registry, self.output, schema(self._out))  # registers it

    def fill_table(self, records: list[Record]) -> None:
        """Write the table, if the job has one."""
        if self.job == "join":
            self._fill(self.table, records, ACCOUNT, None)

    def fill_input(self, records: list[Record], per_s: float | None = None) -> None:
        """Write the job's input, at once or at a rate."""
        self._fill(self.input, records, self._in, per_s)

    def _fill(self, topic: str, records: list[Record], contract: str | None, per_s: float | None) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "partitioner": "murmur2",  # as in Java
                "linger.ms": 5,
                "enable.idempotence": True,
                "log_level": 0,
            }
        )
        encode = encoder(self.registry, topic, schema(contract)) if contract else bytes
        failed: list[object] = []

        def delivered(error: object, _: object) -> None:
            if error is not None:
                failed.append(error)

        begun_s = time.monotonic()
        for index, record in enumerate(records):
            if per_s is not None and index % 20 == 0:
                time.sleep(max(0.0, begun_s + index / per_s - time.monotonic()))
            value = encode(record.value)
            producer.produce(topic, value, record.key, timestamp=record.timestamp_ms, on_delivery=delivered)
            producer.poll(0)
            while len(producer) > QUEUE:
                producer.poll(0.01)
        if producer.flush(60) or failed:
            raise RuntimeError(f"{topic} was not filled, {len(failed)} records failed: {failed[:1]}")

    def decode(self, message: Any) -> Record:
        """A record of the output; a key of a window has more after the account."""
        contract = self._in if self.copies else self._out
        value = message.value()
        if contract:
            value = self._decode(value)
        elif not self.copies:
            value = model.count_of(value)
        return Record(message.key()[: model.KEY_LENGTH].decode(), value, message.timestamp()[1])


@dataclass
class Output:
    """What a peer has written and committed, with the time it was seen."""

    topics: Topics
    seen_s: list[float] = field(default_factory=list)
    _messages: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = {"bootstrap.servers": self.topics.bootstrap_servers, "group.id": "check", "fetch.wait.max.ms": 10}
        self._consumer = Consumer({**settings, "enable.auto.commit": False, "log_level": 0})
        partitions = [TopicPartition(self.topics.output, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
        self._consumer.assign(partitions)

    def read(self) -> None:
        """Take what there is."""
        first = self._consumer.poll(0.05)
        messages = [] if first is None else [first, *self._consumer.consume(10_000, 0)]
        self.seen_s += [time.monotonic()] * len(messages)
        self._messages += messages

    def records(self) -> list[Record]:
        """What was read so far, decoded."""
        return [self.topics.decode(message) for message in self._messages]

    def read_until(self, count: int, process: subprocess.Popen[bytes], give_up_s: float) -> None:
        """Read until there are as many, or the peer ends, or for too long."""
        deadline_s = time.monotonic() + give_up_s
        while len(self.seen_s) < count and time.monotonic() < deadline_s and process.poll() is None:
            self.read()

    def read_rest(self) -> None:
        """Read until nothing more comes."""
        until_s = time.monotonic() + STILL_S
        while time.monotonic() < until_s:
            before = len(self.seen_s)
            self.read()
            if len(self.seen_s) > before:
                until_s = time.monotonic() + STILL_S

    def close(self) -> None:
        """End the consumer."""
        self._consumer.close()
