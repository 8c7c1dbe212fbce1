"""The topics as the web service writes them: a record is written when the cluster has acknowledged it, not before."""

import asyncio
import threading
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaError, Message

from agio.contracts import topics
from agio.contracts.topics import Contract
from agio.web.errors import Code, Refusal
from agio.web.live import Position
from tailrace.client import producer
from tailrace.registry.client import RegistryClient
from tailrace.registry.serde import AvroSerde

T = TypeVar("T")

WRITTEN = (topics.ACCOUNT_REQUESTS, topics.SIGN_UPS, topics.SESSIONS, topics.TRANSACTION_REQUESTS)

# How long a request waits for a cluster that is away, before it is refused. The record may still have been written.
DELIVERY_TIMEOUT_MS = 10_000

log = structlog.get_logger("agio.web")


class Log:
    """Appends records; all methods but `prepare` belong to the event loop's thread."""

    def __init__(self, bootstrap_servers: str, registry: RegistryClient) -> None:
        self.failure: Exception | None = None
        self._serdes: dict[str, AvroSerde[Any]] = {contract.topic: contract.serde(registry) for contract in WRITTEN}
        self._closed = threading.Event()
        self._producer = producer(
            bootstrap_servers,
            client_id="agio-web",
            linger_ms=0,
            message_timeout_ms=DELIVERY_TIMEOUT_MS,
            error_cb=self._on_error,
        )
        self._poller = threading.Thread(target=self._poll, name="agio-web-log", daemon=True)
        self._poller.start()

    def prepare(self) -> None:
        """Ask the registry, blocking, for what the first record of each topic needs."""
        for serde in self._serdes.values():
            _ = serde.schema_id

    async def append(self, contract: Contract[T], key: str, event: T | None) -> Position:
        """Write a record and give its place once it is durable; None as event is a tombstone.

        Raises Refusal when the cluster did not acknowledge it in time; it may have been written all the same.
        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[Position] = loop.create_future()

        def settle(error: KafkaError | None, place: Position) -> None:
            if acknowledged.done():
                return
            if error is None:
                acknowledged.set_result(place)
            else:
                acknowledged.set_exception(_unavailable(contract.topic, error.str()))

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            place = Position(contract.topic, message.partition() or 0, message.offset() or 0)
            loop.call_soon_threadsafe(settle, error, place)

        value = None if event is None else self._serdes[contract.topic].encode(event)
        try:
            self._producer.produce(contract.topic, value, key.encode(), on_delivery=on_delivery)
        except BufferError as error:
            raise _unavailable(contract.topic, str(error)) from error
        return await acknowledged

    def reaches_broker(self, timeout_s: float) -> bool:
        """Ask, blocking, whether a broker answers."""
        try:
            return bool(self._producer.list_topics(topics.SESSIONS.topic, timeout=timeout_s).brokers)
        except Exception:
            return False

    def close(self) -> None:
        """Give what is under way a moment, and leave."""
        self._producer.flush(0.5)
        self._closed.set()
        self._poller.join(1.0)

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self.failure = RuntimeError(f"the producer of the web service cannot go on: {error.str()}")


def _unavailable(topic: str, reason: str) -> Refusal:
    log.warning("a record was not acknowledged", topic=topic, reason=reason)
    message = "the exchange cannot take requests at the moment; try again with the same Idempotency-Key"
    return Refusal(Code.UNAVAILABLE, message, {"Retry-After": "1"})
