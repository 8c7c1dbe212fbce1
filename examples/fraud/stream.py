"""Fraudulent payments, as a stream: a payment that is far above what its account usually pays is passed on.

    tailrace broker --data broker-data
    tailrace topics create payments fraudulent_payments
    python -m examples.fraud.stream
    for amount in 10 12 11 900; do echo 'ann|{"account": "ann", "amount": '$amount'}'; done |
        tailrace produce payments --key-separator '|'
    tailrace consume fraudulent_payments

The probability comes from an aggregate of one's own: what is known of the payments of an account so far.
"""

import signal
import sys
import threading
from pathlib import Path

from msgspec import Struct

from tailrace.registry.serde import JsonSerde
from tailrace.streams import StreamsConfig, Topology, run


class Payment(Struct, frozen=True):
    """A payment in minor units of some currency."""

    account: str
    amount: int


class Scored(Struct, frozen=True):
    """A payment, and how probable it is that somebody else made it."""

    account: str
    amount: int
    fraud_probability: float


class Habit(Struct, frozen=True):
    """What an account pays: how often so far, how much on average, and its last payment."""

    count: int = 0
    mean: float = 0.0
    last: Scored | None = None


class FraudProbability:
    """An aggregate: the further a payment is above the mean of those before it, the more probable is fraud."""

    def initial(self) -> Habit:
        """The habit of an account that has not paid yet."""
        return Habit()

    def add(self, habit: Habit, payment: Payment) -> Habit:
        """The habit with one more payment, which is judged by those before it."""
        is_known = habit.count >= 3 and payment.amount > habit.mean
        probability = 1 - habit.mean / payment.amount if is_known else 0.0
        count = habit.count + 1
        mean = habit.mean + (payment.amount - habit.mean) / count
        return Habit(count, mean, Scored(payment.account, payment.amount, probability))

    def result(self, habit: Habit) -> Scored | None:
        """What is passed on: the last payment with its probability."""
        return habit.last


def build() -> Topology:
    """Describe the application."""
    topology = Topology("fraud")
    payments = topology.stream("payments", JsonSerde(Payment))
    scored = payments.group_by_key().aggregate(FraudProbability(), store="habits", value=JsonSerde(Habit))
    suspicious = scored.to_stream().filter(lambda payment: payment is not None and payment.fraud_probability > 0.8)
    suspicious.to("fraudulent_payments", JsonSerde(Scored))
    return topology


def main(bootstrap_servers: str = "127.0.0.1:9092", state: str = "fraud-state") -> None:
    """Run until SIGINT or SIGTERM."""
    stop = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: stop.set())
    run(build(), StreamsConfig(bootstrap_servers, Path(state)), stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
