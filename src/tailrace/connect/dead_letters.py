"""The dead-letter topic of a sink."""

from confluent_kafka import KafkaError, KafkaException, Message

from tailrace.client import Record, Topic, admin, dead_letter_headers, ensure_topics, producer


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

    def send(self, message: Record, stage: str, error: Exception) -> None:
        """Send a record as it came; it is safe only after `flush`."""
        self._producer.produce(
            self._topic,
            key=message.key(),
            value=message.value(),
            headers=dead_letter_headers(message, self._connector, stage, error, self._task_id),
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
