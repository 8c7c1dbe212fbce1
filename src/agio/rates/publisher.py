"""Quotes on their way to `exchange-rates`."""

from confluent_kafka import KafkaError, Message, Producer

from agio.contracts.events import ExchangeRate
from agio.contracts.topics import EXCHANGE_RATES
from agio.rates.complaints import Complaints
from tailrace.registry.serde import Serde

# A quote that stays the same is published again after this time, so that nobody takes it for old.
REFRESH_MS = 5000


class Publisher:
    """Publishes quotes, except those that say again what was just said.

    A quote that cannot be delivered is dropped with a warning: the next one of its pair is not far.
    """

    def __init__(self, producer: Producer, serde: Serde[ExchangeRate]) -> None:
        self._producer = producer
        self._serde = serde
        self._said: dict[str, ExchangeRate] = {}
        self._undelivered = Complaints("quotes could not be delivered", topic=EXCHANGE_RATES.topic)

    def publish(self, quote: ExchangeRate) -> None:
        """Send a quote if it is news. Raises KafkaException when the producer can send nothing any more."""
        pair = f"{quote.base}-{quote.quote}"
        if not is_news(quote, self._said.get(pair)):
            return
        self._said[pair] = quote
        self._producer.produce(
            EXCHANGE_RATES.topic, self._serde.encode(quote), pair.encode(), on_delivery=self._on_delivery
        )
        self._producer.poll(0)

    def poll(self) -> None:
        """Take note of deliveries."""
        self._producer.poll(0)

    def close(self, timeout_s: float = 1.0) -> None:
        """Wait for what is on its way."""
        self._producer.flush(timeout_s)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._said.pop((message.key() or b"").decode(), None)
            self._undelivered.add(error.str())


def is_news(quote: ExchangeRate, said: ExchangeRate | None) -> bool:
    """Whether a quote has other prices than the one said before, or that one is due for a refresh."""
    if said is None or (quote.bid, quote.ask) != (said.bid, said.ask):
        return True
    return not 0 <= quote.as_of - said.as_of < REFRESH_MS
