"""The load: records of each job, as many as are wanted at once, or at a steady rate."""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from multiprocessing.synchronize import Event
from typing import Self

from confluent_kafka import Producer

from benchmarks.streams.contracts import Account, Payment, Request, serde
from tailrace.registry.client import Registry, RegistryClient

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


class SteadyLoad:
    """Writes records of a job at a rate from `__enter__` to `__exit__`; each has the time at which it was due.

    In a process of its own: a thread would wait for the one that reads the output, and measure that.
    `first`: see `requests`.
    """

    def __init__(
        self, bootstrap_servers: str, registry_url: str, job: str, topic: str, accounts: int, rate: int, first: int = 0
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._stopped = context.Event()
        arguments = (bootstrap_servers, registry_url, job, topic, accounts, rate, first, self._stopped)
        self._process = context.Process(target=write_steadily, args=arguments, daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until all that was written is there."""
        self._stopped.set()
        self._process.join()


def write_steadily(
    bootstrap_servers: str,
    registry_url: str,
    job: str,
    topic: str,
    accounts: int,
    rate: int,
    first: int,
    stopped: Event,
) -> None:
    """Write until stopped; see SteadyLoad."""
    registry = RegistryClient(registry_url)
    more = {"first": first} if first else {}
    producer, interval_s = _producer(bootstrap_servers, linger_ms=0), 1 / rate
    begin = time.time()
    for number, (key, value) in enumerate(INPUTS[job](registry, topic, accounts, **more)):
        due = begin + number * interval_s
        while (left := due - time.time()) > 0:
            producer.poll(min(left, 0.001))
        if number % 100 == 0 and stopped.is_set():
            break
        producer.produce(topic, value, key, timestamp=int(due * 1000))
    producer.flush(30)


def _producer(bootstrap_servers: str, linger_ms: int) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": linger_ms,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUE,
            # As in Java: what has to wait is sent together, and a broker that is slow for a moment catches up again.
            "max.in.flight.requests.per.connection": 5,
        }
    )
