"""The jobs in tailrace: `python -m benchmarks.streams.jobs fraud --bootstrap-servers ...`, as the peers are started."""

import argparse
import signal
import threading
from pathlib import Path

from msgspec import Struct

from benchmarks.streams.contracts import Account, Outcome, Paid, Payment, Request, serde
from tailrace.registry.client import RegistryClient
from tailrace.streams import Identity, StreamsConfig, Topology, Tumbling, run


class Balance(Struct, frozen=True):
    """What the ledger knows of an account."""

    amount: int
    sequence: int


def fraud(topology: Topology, job: argparse.Namespace, registry: RegistryClient) -> None:
    """Pass on payments that are probably fraud."""
    payments = topology.stream(job.input, serde(registry, job.input, Payment))
    payments.filter(lambda payment: payment.fraud_probability > 0.8).to(
        job.output, serde(registry, job.output, Payment)
    )


def decide(key: str, balance: Balance, request: Request, _: object) -> tuple[Outcome]:
    """Accept what the balance allows."""
    change = request.amount if request.kind == "deposit" else -request.amount
    after = balance.amount + change
    if after < 0:
        return (Outcome(request.request_id, key, False, balance.amount, balance.sequence + 1),)
    return (Outcome(request.request_id, key, True, after, balance.sequence + 1),)


def evolve(_: Balance, outcome: Outcome) -> Balance:
    """Take an outcome's balance."""
    return Balance(outcome.balance, outcome.sequence)


def ledger(topology: Topology, job: argparse.Namespace, registry: RegistryClient) -> None:
    """Decide on deposits and withdrawals, each once."""
    requests = topology.stream(job.input, serde(registry, job.input, Request))
    identity = Identity(
        lambda request: (request.request_id, ""), lambda outcome: (outcome.request_id, ""), lambda *_: ()
    )
    decisions = requests.decide("balances", decide, evolve, initial=Balance(0, 0), identity=identity)
    decisions.to(job.output, serde(registry, job.output, Outcome))


def windows(topology: Topology, job: argparse.Namespace, registry: RegistryClient) -> None:
    """Count the records of a key in each minute."""
    clicks = topology.stream(job.input, bytes)
    clicks.group_by_key().windowed_by(Tumbling("1m", grace="10s")).count().to(job.output)


def join(topology: Topology, job: argparse.Namespace, registry: RegistryClient) -> None:
    """Give payments the owners of their accounts."""
    accounts = topology.table(job.table, serde(registry, job.table, Account))
    payments = topology.stream(job.input, serde(registry, job.input, Payment))
    paid = payments.join(accounts, lambda payment, account: Paid(payment.payment_id, account.owner, payment.amount))
    paid.to(job.output, serde(registry, job.output, Paid))


JOBS = {each.__name__: each for each in (fraud, ledger, windows, join)}


def main() -> None:
    """Run a job until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=JOBS)
    for name in ("bootstrap-servers", "registry", "application", "input", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--table")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--variant", default="default")
    job = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    topology = Topology(job.application)
    JOBS[job.job](topology, job, RegistryClient(job.registry))
    run(topology, StreamsConfig(job.bootstrap_servers, job.state), stop)


if __name__ == "__main__":
    main()
