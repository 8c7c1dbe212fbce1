"""Sends requests on a schedule that does not wait for outcomes, or as fast as outcomes come back."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from confluent_kafka import KafkaError, Message

from agio.contracts.events import AccountRequest
from agio.contracts.topics import TRANSACTION_REQUESTS
from agio.load.customers import openings, wishes
from agio.load.encoding import RequestEncoder
from agio.load.figures import Figures
from tailrace.client import producer
from tailrace.clock import now_ms
from tailrace.registry.client import Registry

# At full speed so many requests may be without outcome; more would only wait in the topic.
WINDOW = 20_000
BATCH = 500
# Different wishes; they are used again and again.
WISHES = 2_000


@dataclass(frozen=True)
class Schedule:
    """How many requests and when: `rate` per second, 0 for full speed; until `transactions` or `duration_s`."""

    rate: float = 0.0
    transactions: int | None = None
    duration_s: float | None = None

    def due(self, elapsed_s: float, sent: int, answered: int) -> int:
        """How many requests should be out by now, `sent` being out and `answered` done."""
        by_rate = int(elapsed_s * self.rate) + 1 if self.rate else min(answered + WINDOW, sent + BATCH)
        return by_rate if self.transactions is None else min(by_rate, self.transactions)

    def is_over(self, elapsed_s: float, sent: int) -> bool:
        """Whether nothing more is to be sent."""
        if self.transactions is not None and sent >= self.transactions:
            return True
        return self.duration_s is not None and elapsed_s >= self.duration_s


class Sender(threading.Thread):
    """Puts requests into the topic until the schedule is over or `stop` is set.

    `run_id`: 16 characters that no other run has; with a number it makes the transaction ids. The customers' opening
    deposits come first.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        registry: Registry,
        customers: Sequence[AccountRequest],
        schedule: Schedule,
        figures: Figures,
        *,
        run_id: str,
        seed: int,
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._schedule = schedule
        self._figures = figures
        self._run_id = run_id
        self._random = Random(f"order {seed}")
        self._encoder = RequestEncoder(registry)
        self._keys = [customer.account_id.encode() for customer in customers]
        self._accounts = [self._encoder.account(customer.account_id) for customer in customers]
        self._openings = [self._encoder.wish(request) for request in openings()]
        self._wishes = [self._encoder.wish(request) for request in wishes(seed, WISHES)]
        # No linger, as in the web service; at full speed batches come by themselves, from waiting for the broker.
        self._producer = producer(bootstrap_servers, linger_ms=0, delivery_report_only_error=True)

    def run(self) -> None:
        """Send; `failure` holds what went wrong."""
        try:
            self._send_all()
        except BaseException as failure:
            self.failure = failure

    def _send_all(self) -> None:
        schedule, figures = self._schedule, self._figures
        begun = time.perf_counter()
        while not self.stop.is_set():
            elapsed, sent = time.perf_counter() - begun, len(figures.sent_at)
            if schedule.is_over(elapsed, sent):
                break
            due = schedule.due(elapsed, sent, figures.answers)
            if due > sent:
                self._send(sent, due, begun)
            else:
                self.stop.wait(0.001)
            self._producer.poll(0)
        self._producer.flush()

    def _send(self, first: int, end: int, begun: float) -> None:
        rate, time_piece, now = self._schedule.rate, self._encoder.time(now_ms()), time.perf_counter()
        customers = range(len(self._keys))
        for number in range(first, end):
            opening, customer = divmod(number, len(self._keys))
            if opening < len(self._openings):
                wish = self._openings[opening]
            else:
                customer, wish = self._random.choice(customers), self._random.choice(self._wishes)
            transaction_id = f"{self._run_id}{number:016x}".encode()
            value = self._encoder.request(transaction_id, self._accounts[customer], wish, time_piece)
            self._figures.sent(begun + number / rate if rate else now)
            self._produce(value, self._keys[customer])

    def _produce(self, value: bytes, key: bytes) -> None:
        while not self.stop.is_set():
            try:
                self._producer.produce(TRANSACTION_REQUESTS.topic, value, key, on_delivery=self._failed)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _failed(self, error: KafkaError | None, message: Message) -> None:
        self._figures.unsent += 1
