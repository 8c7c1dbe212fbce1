"""Dead letters: records that could not be used, kept as they came, with the reason in headers (KIP-298)."""

import traceback

from confluent_kafka import KafkaError, KafkaException, Message

from tailrace.client import Topic, admin, ensure_topics, producer
from tailrace.connect.intake import Received

PREFIX = "__connect.errors."


def error_headers(
    message: Received, connector: str, task_id: int, stage: str, error: Exception
) -> list[tuple[str, bytes]]:
    """Give the headers that Apache Kafka Connect adds, `stage` being where it happened, such as VALUE_CONVERTER."""
    context = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "connector.name": connector,
        "task.id": task_id,
        "stage": stage,
        "exception.class.name": type(error).__qualname__,
        "exception.message": str(error),
        "exception.stacktrace": "".join(traceback.format_exception(error)),
    }
    return [(PREFIX + name, str(value).encode()) for name, value in context.items()]


class DeadLetters:
    """The dead-letter topic of one sink task."""

    def __init__(self, bootstrap_servers: str, topic: str, connector: str, task_id: int) -> None:
        if topic not in admin(bootstrap_servers).list_topics(timeout=30).topics:
            ensure_topics(bootstrap_servers, [Topic(topic)])
        self._producer = producer(bootstrap_servers)
        self._topic = topic
        self._connector = connector
        self._task_id = task_id
        self._failure: KafkaError | None = None

    def send(self, message: Received, stage: str, error: Exception) -> None:
        """Send a record as it came; it is safe only after `flush`."""
        self._producer.produce(
            self._topic,
            key=message.key(),
            value=message.value(),
            headers=[
                *(message.headers() or ()),
                *error_headers(message, self._connector, self._task_id, stage, error),
            ],
            on_delivery=self._delivered,
        )
        self._producer.poll(0)

    def flush(self) -> None:
        """Return once all that was sent is durable. Raises KafkaException."""
        self._producer.flush()
        if self._failure is not None:
            raise KafkaException(self._failure)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._failure = self._failure or error
