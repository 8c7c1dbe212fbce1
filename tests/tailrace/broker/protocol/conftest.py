"""Raw requests over a socket, to the embedded broker and to Apache Kafka: what holds on one holds on the other.

A request is given as the fields of `kio`'s message class, nested ones as dictionaries, times in milliseconds; a
response is `kio`'s own object.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any, NamedTuple, Protocol

import pytest
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from tailrace.wire.encoding import struct_encoder
from tailrace.wire.messages import message_class
from tailrace.wire.record_batch import (
    TRANSACTIONAL_BIT,
    ControlType,
    Record,
    control_type,
    encode_batch,
    iter_headers,
    iter_records,
)

GIVE_UP_S = 60
READ_COMMITTED = 1
CLIENT_ID = b"protocol"


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again until something is the case that nobody tells."""
    give_up_at = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.002)


class Answered(NamedTuple):
    """What is still to be read on a connection."""

    api: str
    version: int
    correlation_id: int


@cache
def _writer(api: str, version: int) -> tuple[Any, int, bool]:
    schema = message_class(api, version, "request")
    return struct_encoder(schema), schema.__api_key__, schema.__header_schema__.__version__ >= 2


@cache
def _reader(api: str, version: int) -> tuple[Any, bool]:
    schema = message_class(api, version, "response")
    return entity_reader(schema), schema.__header_schema__.__version__ >= 1


def encode_request(api: str, version: int, correlation_id: int, fields: dict[str, Any]) -> bytes:
    """A request with its header and length."""
    write, key, has_tags = _writer(api, version)
    body: list[bytes] = []
    write(fields, body)
    header = struct.pack(">hhih", key, version, correlation_id, len(CLIENT_ID)) + CLIENT_ID + b"\0" * has_tags
    content = header + b"".join(body)
    return struct.pack(">i", len(content)) + content


class Connection:
    """One connection to a broker."""

    def __init__(self, engine: Engine) -> None:
        host, port = engine.bootstrap_servers.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=GIVE_UP_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")
        self._sent = 0

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, api: str, version: int, **fields: Any) -> Answered:
        """Send a request without waiting for the response."""
        self._sent += 1
        self.socket.sendall(encode_request(api, version, self._sent, fields))
        return Answered(api, version, self._sent)

    def receive(self, request: Answered) -> Any:
        """The next response, which must be the request's; None when the broker closed the connection."""
        with suppress(ConnectionResetError):
            length = self._stream.read(4)
            if length:
                response = self._stream.read(struct.unpack(">i", length)[0])
                assert struct.unpack_from(">i", response)[0] == request.correlation_id
                read, has_tags = _reader(request.api, request.version)
                return read(response, 5 if has_tags else 4)[0]
        return None

    def ask(self, api: str, version: int, **fields: Any) -> Any:
        """The response to a request; None when the broker closed the connection."""
        return self.receive(self.send(api, version, **fields))

    def is_silent(self, for_s: float = 0.2) -> bool:
        """Whether nothing arrives for some time."""
        self.socket.settimeout(for_s)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(GIVE_UP_S)
        return False


class ProducerState:
    """A producer's id, epoch and next sequences by partition."""

    def __init__(self, answer: Any, transactional_id: str | None) -> None:
        assert answer.error_code is ErrorCode.none, answer
        self.transactional_id = transactional_id
        self.id: int = answer.producer_id
        self.epoch: int = answer.producer_epoch
        self.sequences: dict[tuple[str, int], int] = {}

    @property
    def named(self) -> dict[str, Any]:
        """The fields of most transactional requests."""
        return {"transactional_id": self.transactional_id, "producer_id": self.id, "producer_epoch": self.epoch}


class Wire(Connection):
    """A connection with the requests that most tests begin with."""

    def __init__(self, engine: Engine, unique: Callable[[str], str]) -> None:
        super().__init__(engine)
        self.engine = engine
        self.unique = unique

    def topic(self, partitions: int = 1, **configs: str) -> str:
        """A new topic; underscores in the names of configurations stand for dots."""
        name = self.unique("topic")
        self.create_topic(name, partitions, **configs)
        return name

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> Any:
        wanted = {
            "name": name,
            "num_partitions": partitions,
            "replication_factor": 1,
            "configs": [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()],
        }
        [created] = self.ask("create_topics", 7, topics=[wanted], timeout=10_000).topics
        assert created.error_code is ErrorCode.none, created
        # Apache Kafka's controller answers before its brokers have heard of the topic.
        until(lambda: self.describe_topic(name).topic_id == created.topic_id)
        until(lambda: all(not self.list_offset(name, -1, partition=index).error_code for index in range(partitions)))
        return created.topic_id

    def describe_topic(self, name: str) -> Any:
        """What Metadata says of a topic."""
        wanted = [{"topic_id": None, "name": name}]
        return self.ask("metadata", 12, topics=wanted, allow_auto_topic_creation=False).topics[0]

    def delete_topic(self, name: str) -> None:
        """Delete a topic, and wait until it is gone."""
        [deleted] = self.ask("delete_topics", 5, topic_names=[name], timeout=10_000).responses
        assert deleted.error_code is ErrorCode.none, deleted
        until(lambda: self.describe_topic(name).error_code is not ErrorCode.none)

    def produce(self, topic: str, batch: bytes, *, version: int = 9, acks: int = -1, **options: Any) -> Any:
        """The answer for the only partition."""
        answer = self.ask(
            "produce", version, **produce_fields({(topic, options.pop("partition", 0)): batch}, acks, **options)
        )
        return answer.responses[0].partition_responses[0]

    def append(self, topic: str, *values: bytes) -> int:
        """Produce a batch that must succeed; gives its base offset."""
        return self.append_to(topic, 0, *values)

    def append_to(self, topic: str, partition: int, *values: bytes) -> int:
        """Produce a batch to any partition."""
        answer = self.produce(topic, batch(*values), partition=partition)
        assert answer.error_code is ErrorCode.none, answer
        return int(answer.base_offset)

    def initialize(
        self, transactional_id: str | None = None, timeout_ms: int = 60_000, **claimed: int
    ) -> ProducerState:
        answer = self.init_producer_id(transactional_id, timeout_ms, **claimed)
        return ProducerState(answer, transactional_id)

    def init_producer_id(
        self, transactional_id: str | None, timeout_ms: int = 60_000, version: int = 4, **claimed: int
    ) -> Any:
        """The answer of InitProducerId; Kafka may ask for patience while it ends what was open."""
        fields = {"transactional_id": transactional_id, "transaction_timeout": timeout_ms, **claimed}
        return self.patiently("init_producer_id", version, **fields)

    def patiently(self, api: str, version: int, **fields: Any) -> Any:
        """Ask until the coordinator has time: it may still load, or end the transaction before."""
        answers: list[Any] = []

        def is_answered() -> bool:
            answers.append(self.ask(api, version, **fields))
            return not _errors(answers[-1]) & BUSY

        until(is_answered)
        return answers[-1]

    def add_partitions(self, producer: ProducerState, *partitions: tuple[str, int], version: int = 3) -> ErrorCode:
        """The error of the first partition."""
        answer = self.patiently(
            "add_partitions_to_txn",
            version,
            v3_and_below_transactional_id=producer.transactional_id,
            v3_and_below_producer_id=producer.id,
            v3_and_below_producer_epoch=producer.epoch,
            v3_and_below_topics=[{"name": name, "partitions": [index]} for name, index in partitions],
        )
        found: ErrorCode = answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        return found

    def write(
        self, producer: ProducerState, topic: str, *values: bytes, partition: int = 0, added: bool = False
    ) -> int:
        """Add the partition to the producer's transaction and append to it; gives the base offset."""
        if not added:
            assert self.add_partitions(producer, (topic, partition)) is ErrorCode.none
        sequence = producer.sequences.get((topic, partition), 0)
        data = batch(*values, producer=producer, sequence=sequence, transactional=True)
        answer = self.produce(topic, data, partition=partition, transactional_id=producer.transactional_id)
        assert answer.error_code is ErrorCode.none, answer
        producer.sequences[topic, partition] = sequence + len(values)
        return int(answer.base_offset)

    def end(self, producer: ProducerState, *, committed: bool, version: int = 3) -> ErrorCode:
        answer = self.patiently("end_txn", version, **producer.named, committed=committed)
        found: ErrorCode = answer.error_code
        return found

    def fetch(self, topic: str, offset: int = 0, *, version: int = 11, **options: Any) -> Any:
        """The answer for the only partition."""
        return self.ask("fetch", version, **fetch_fields({(topic, 0): offset}, **options)).responses[0].partitions[0]

    def batches(self, topic: str, offset: int = 0, **options: Any) -> list[bytes]:
        """The batches of the only partition, up to its end."""
        found: list[bytes] = []
        while data := self.fetch(topic, offset, max_wait=0, **options).records:
            for position, header in iter_headers(data):
                found.append(bytes(data[position : position + header.size]))
                offset = header.last_offset + 1
        return found

    def values(self, topic: str, offset: int = 0, **options: Any) -> list[bytes | None]:
        """The values that a consumer of the only partition gets now."""
        return [record.value for record in self.records(topic, offset, **options)]

    def records(self, topic: str, offset: int = 0, *, isolation_level: int = 0) -> list[Record]:
        """The records that a consumer of the only partition gets now; reads as clients read committed records."""
        found: list[Record] = []
        while True:
            answer = self.fetch(topic, offset, max_wait=0, isolation_level=isolation_level)
            assert answer.error_code is ErrorCode.none, answer
            if not answer.records:
                return found
            more, offset = consumed(answer, offset)
            found += more

    def list_offset(self, topic: str, timestamp: int, *, version: int = 7, **options: Any) -> Any:
        """The answer for the only partition."""
        entry = {"partition_index": options.pop("partition", 0), "timestamp": timestamp, "current_leader_epoch": -1}
        fields = {"replica_id": -1, "topics": [{"name": topic, "partitions": [entry]}], **options}
        return self.ask("list_offsets", version, **fields).topics[0].partitions[0]

    def end_offset(self, topic: str) -> int:
        return int(self.list_offset(topic, -1).offset)


BUSY = {
    ErrorCode.concurrent_transactions,
    ErrorCode.coordinator_load_in_progress,
    ErrorCode.coordinator_not_available,
    ErrorCode.not_coordinator,
}


def _errors(answer: Any) -> set[ErrorCode]:
    """All error codes in an answer."""
    if isinstance(answer, ErrorCode):
        return {answer}
    if isinstance(answer, tuple):
        return set().union(*map(_errors, answer))
    fields = getattr(answer, "__dataclass_fields__", ())
    return set().union(*(_errors(getattr(answer, name)) for name in fields))


def produce_fields(batches: dict[tuple[str, int], bytes | None], acks: int = -1, **options: Any) -> dict[str, Any]:
    """The fields of a Produce request with one batch for each partition."""
    topics = [
        {"name": name, "partition_data": [{"index": index, "records": data}]} for (name, index), data in batches.items()
    ]
    return {"transactional_id": None, "acks": acks, "timeout": 10_000, "topic_data": topics, **options}


def fetch_fields(offsets: dict[tuple[str, int], int], **options: Any) -> dict[str, Any]:
    """The fields of a Fetch request up to version 12."""
    partition_max_bytes = options.pop("partition_max_bytes", 1 << 20)
    topics: dict[str, list[dict[str, Any]]] = {}
    for (name, index), offset in offsets.items():
        entry = {"partition": index, "fetch_offset": offset, "partition_max_bytes": partition_max_bytes}
        topics.setdefault(name, []).append(entry | {"current_leader_epoch": -1, "log_start_offset": -1})
    return {
        "replica_id": -1,
        "max_wait": 0,
        "min_bytes": 1,
        "max_bytes": 1 << 20,
        "session_epoch": -1,
        "topics": [{"topic": name, "partitions": entries} for name, entries in topics.items()],
        **options,
    }


def consumed(answer: Any, offset: int) -> tuple[list[Record], int]:
    """The records of a Fetch that a client gives to the application, and the offset that it fetches next.

    As in Kafka's client, an aborted transaction counts from its first offset on, until the producer's ABORT marker.
    """
    found: list[Record] = []
    aborted = sorted((entry.first_offset, entry.producer_id) for entry in answer.aborted_transactions or ())
    aborting: set[int] = set()
    data = bytes(answer.records)
    for position, header in iter_headers(data):
        while aborted and aborted[0][0] <= header.last_offset:
            aborting.add(aborted.pop(0)[1])
        one = data[position : position + header.size]
        if header.is_control:
            if control_type(one) is ControlType.ABORT:
                aborting.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in aborting):
            found += (record for record in iter_records(one) if record.offset >= offset)
        offset = max(offset, header.last_offset + 1)
    return found, offset


NOW_MS = 1_700_000_000_000


def batch(
    *values: bytes | None,
    key: bytes | None = b"k",
    timestamps: Sequence[int] | None = None,
    producer: ProducerState | tuple[int, int] | None = None,
    sequence: int = -1,
    transactional: bool = False,
) -> bytes:
    """A batch with these values; by default a second apart in 2023."""
    times = timestamps or [NOW_MS + 1000 * number for number in range(len(values))]
    identity = (producer.id, producer.epoch) if isinstance(producer, ProducerState) else producer or (-1, -1)
    return encode_batch(
        [Record(number, times[number], key, value) for number, value in enumerate(values)],
        attributes=TRANSACTIONAL_BIT if transactional else 0,
        producer_id=identity[0],
        producer_epoch=identity[1],
        base_sequence=sequence,
    )


@pytest.fixture(scope="session")
def coordinated(engine: Engine, unique: Callable[[str], str]) -> Engine:
    """The engine with coordinators: Apache Kafka makes its internal topics when they are first looked for."""
    wire = Wire(engine, unique)
    for key_type in range(2):
        wire.patiently("find_coordinator", 3, key="anyone", key_type=key_type)
    wire.close()
    return engine


@pytest.fixture
def connect(coordinated: Engine, unique: Callable[[str], str]) -> Iterator[Callable[[], Wire]]:
    """Opens connections to the engine under test; they are closed at the end."""
    with ExitStack() as stack:

        def open_one() -> Wire:
            wire = Wire(coordinated, unique)
            stack.callback(wire.close)
            return wire

        yield open_one


@pytest.fixture
def wire(connect: Callable[[], Wire]) -> Wire:
    """A connection to the engine under test."""
    return connect()
