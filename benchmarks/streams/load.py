"""The load: records of each job, as many as are wanted at once, or at a steady rate."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Self

from confluent_kafka import Producer

from benchmarks.streams.contracts import Account, Payment, Request, serde
from tailrace.registry.client import Registry

SEED = 7
QUEUE = 200_000
# A key, and the value as it is written.
Keyed = tuple[bytes, bytes]
MERCHANTS = [f"merchant-{number:04}" for number in range(1000)]
CURRENCIES = ["EUR", "USD", "GBP", "CHF"]


def account(number: int) -> str:
    """The name of an account."""
    return f"account-{number:09}"


def payments(registry: Registry, topic: str, accounts: int) -> Iterator[Keyed]:
    """Payments of random accounts, one in five of them probably fraud."""
    encode, chance = serde(registry, topic, Payment).encode, random.Random(SEED)
    for number in count():
        owner = account(chance.randrange(accounts))
        merchant, currency = chance.choice(MERCHANTS), chance.choice(CURRENCIES)
        payment = Payment(
            f"payment-{number:09}", owner, chance.randrange(100, 100_000), currency, merchant, chance.random()
        )
        yield owner.encode(), encode(payment)


def requests(registry: Registry, topic: str, accounts: int, *, fill: bool = False, first: int = 0) -> Iterator[Keyed]:
    """Deposits and withdrawals of random accounts; with `fill` a deposit of each account comes first.

    `first`: the number of the first request, of those that no other load has sent.
    """
    encode, chance = serde(registry, topic, Request).encode, random.Random(SEED)
    for number in count(first):
        is_first = fill and number < accounts
        owner = account(number if is_first else chance.randrange(accounts))
        kind = "deposit" if is_first or chance.random() < 0.5 else "withdrawal"
        yield owner.encode(), encode(Request(f"request-{number:09}", owner, kind, chance.randrange(100, 10_000)))


def clicks(registry: Registry, topic: str, accounts: int) -> Iterator[Keyed]:
    """Bytes of random accounts."""
    chance = random.Random(SEED)
    values = [chance.randbytes(50) for _ in range(1000)]
    while True:
        yield account(chance.randrange(accounts)).encode(), chance.choice(values)


def owners(registry: Registry, topic: str, accounts: int) -> Iterator[Keyed]:
    """The table of `join`: each account once."""
    encode = serde(registry, topic, Account).encode
    for number in range(accounts):
        yield account(number).encode(), encode(Account(account(number), f"owner {number}", "DE"))


INPUTS: dict[str, Callable[..., Iterator[Keyed]]] = {
    "fraud": payments,
    "ledger": requests,
    "windows": clicks,
    "join": payments,
}


def send(bootstrap_servers: str, topic: str, records: Iterator[Keyed], number: int, first_ms: int, per_ms: int) -> None:
    """Write so many records, from a time on and so many in each millisecond, and wait until all are there."""
    producer = _producer(bootstrap_servers, linger_ms=5)
    for index, (key, value) in enumerate(islice(records, number)):
        while True:
            try:
                producer.produce(topic, value, key, timestamp=first_ms + index // per_ms)
                break
            except BufferError:
                producer.poll(0.05)
    if producer.flush(300):
        raise RuntimeError(f"{len(producer)} records for {topic} were not acknowledged")


class SteadyLoad(threading.Thread):
    """Writes records at a rate from `__enter__` to `__exit__`; each has the time at which it was due."""

    def __init__(self, bootstrap_servers: str, topic: str, records: Iterator[Keyed], rate: int) -> None:
        super().__init__(daemon=True)
        self._producer = _producer(bootstrap_servers, linger_ms=0)
        self._topic, self._records, self._interval_s = topic, records, 1 / rate
        self._stopped = threading.Event()

    def run(self) -> None:
        """See Thread."""
        begin = time.time()
        for number, (key, value) in enumerate(self._records):
            due = begin + number * self._interval_s
            while (left := due - time.time()) > 0:
                self._producer.poll(min(left, 0.001))
            if self._stopped.is_set():
                break
            self._producer.produce(self._topic, value, key, timestamp=int(due * 1000))
        self._producer.flush(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until all that was written is there."""
        self._stopped.set()
        self.join()


def _producer(bootstrap_servers: str, linger_ms: int) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": linger_ms,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUE,
        }
    )
