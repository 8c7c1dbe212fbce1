"""One load from beginning to end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

from confluent_kafka import Consumer

from agio.contracts.topics import REJECTED_TRANSACTIONS, TRANSACTIONS
from agio.load.accounts import open_accounts
from agio.load.customers import customers
from agio.load.encoding import OutcomeReader
from agio.load.figures import Figures
from agio.load.sender import Schedule, Sender
from agio.load.tail import tail
from tailrace.client import consume_available
from tailrace.registry.client import Registry

TOPICS = (TRANSACTIONS.topic, REJECTED_TRANSACTIONS.topic)


@dataclass(frozen=True)
class Load:
    """What to put on the exchange; `timeout_s` without any progress is the end."""

    bootstrap_servers: str
    schedule: Schedule
    accounts: int = 100
    seed: int = 0
    timeout_s: float = 60.0


def run(load: Load, registry: Registry, on_progress: Callable[[Figures], None] = lambda _: None) -> Figures:
    """Open the accounts, send the requests, wait for the outcomes; Ctrl-C ends it early.

    Outcomes are missing in the figures when none came for `timeout_s`. Raises AccountsNotOpened, BrokerUnreachable
    and LookupError.
    """
    people = customers(load.seed, load.accounts)
    open_accounts(load.bootstrap_servers, registry, people, load.timeout_s)
    reader = tail(load.bootstrap_servers, TOPICS)
    run_id, figures = token_hex(8), Figures()
    sender = Sender(load.bootstrap_servers, registry, people, load.schedule, figures, run_id=run_id, seed=load.seed)
    receiver = _Receiver(reader, registry, run_id, figures)
    sender.start()
    try:
        last_progress, answers = time.monotonic(), 0
        while sender.is_alive() or figures.missing:
            receiver.receive()
            on_progress(figures)
            if sender.failure is not None:
                raise sender.failure
            if figures.answers > answers or not figures.missing:
                last_progress, answers = time.monotonic(), figures.answers
            elif time.monotonic() - last_progress > load.timeout_s:
                break
    except KeyboardInterrupt:
        figures.interrupted = True
    finally:
        sender.stop.set()
        reader.close()
    return figures


class _Receiver:
    """Takes what came of the requests of one run."""

    def __init__(self, reader: Consumer, registry: Registry, run_id: str, figures: Figures) -> None:
        self._reader = reader
        self._readers = {topic: OutcomeReader(topic, registry) for topic in TOPICS}
        self._run_id = run_id
        self._figures = figures

    def receive(self) -> None:
        """Note the outcomes that are there, waiting for the first a little."""
        records = consume_available(self._reader, 5_000, 0.05)
        now = time.perf_counter()
        for record in records:
            data = record.value()
            if record.error() is not None or data is None:
                continue  # errors of consumers pass: a broker that was killed comes back, or the timeout ends it
            answer = self._readers[record.topic()].read(data)
            if answer.transaction_id.startswith(self._run_id):
                number = int(answer.transaction_id[len(self._run_id) :], 16)
                self._figures.answer(number, answer.reason or answer.type, now)
