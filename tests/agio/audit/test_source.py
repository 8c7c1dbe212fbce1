"""The audit reads topics of a real broker, and says so when it cannot."""

from collections.abc import Iterator
from random import Random
from typing import TypeVar

import msgspec
import pytest
from confluent_kafka import Producer
from typer import Typer
from typer.testing import CliRunner

from agio.audit.check import check
from agio.audit.cli import audit
from agio.audit.findings import Findings, Rule
from agio.audit.history import Entry, Read
from agio.audit.source import TopicSource
from agio.contracts.events import RequestReference, Transaction
from agio.contracts.topics import (
    ACCOUNTS,
    CONTRACTS,
    DEAD_LETTERS,
    EXCHANGE_RATES,
    REJECTED_TRANSACTIONS,
    TRANSACTION_REQUESTS,
    TRANSACTIONS,
    WALLETS,
    Contract,
)
from tailrace.client import ensure_topics, producer
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tailrace.testing.registry import LocalRegistry

from .histories import Records, good_history

T = TypeVar("T")


@pytest.fixture
def bootstrap_servers() -> Iterator[str]:
    """A broker of its own with the exchange's topics."""
    with BrokerProcess() as broker:
        ensure_topics(broker.bootstrap_servers, [*(contract.as_topic() for contract in CONTRACTS), DEAD_LETTERS])
        yield broker.bootstrap_servers


@pytest.fixture
def records() -> Records:
    return good_history(seed=3, steps=400, partitions=6, accounts=20, gaps=False)


class Writer:
    """Writes histories to topics."""

    def __init__(self, bootstrap_servers: str, registry: LocalRegistry) -> None:
        self._producer: Producer = producer(bootstrap_servers)
        self._registry = registry

    def write(self, records: Records) -> None:
        self._write(ACCOUNTS, records.accounts)
        self._write(EXCHANGE_RATES, records.rates)
        for partition in records.partitions:
            self._write(WALLETS, partition.wallets)
            self._write(TRANSACTION_REQUESTS, partition.requests)
            self._write(TRANSACTIONS, partition.transactions)
            self._write(REJECTED_TRANSACTIONS, partition.rejected)
        for request in records.dead_letters:
            self._bury(request)
        assert self._producer.flush(60) == 0

    def _write(self, contract: Contract[T], log: list[Read[T]]) -> None:
        serde = contract.serde(self._registry)
        for entry in log:
            key, value = (entry.key, serde.encode(entry.value)) if isinstance(entry, Entry) else (None, b"garbage")
            self._producer.produce(entry.topic, value, key, entry.partition)
            self._producer.poll(0)

    def _bury(self, request: RequestReference) -> None:
        place = {"topic": request.topic, "partition": str(request.partition), "offset": str(request.offset)}
        headers: list[tuple[str, str | bytes | None]] = [
            (f"__connect.errors.{name}", value.encode()) for name, value in place.items()
        ]
        self._producer.produce(DEAD_LETTERS.name, b"garbage", headers=headers)


def findings_of(bootstrap_servers: str, registry: LocalRegistry) -> Findings:
    return check(TopicSource(bootstrap_servers, registry).history(), settled=True)


def test_topics_give_the_same_findings_as_the_history_they_hold(bootstrap_servers: str, records: Records) -> None:
    registry = LocalRegistry()
    Writer(bootstrap_servers, registry).write(records)
    findings = findings_of(bootstrap_servers, registry)
    assert findings.violations == []
    assert findings == check(records.history(), settled=True)


def test_a_corruption_is_found_in_topics(bootstrap_servers: str, records: Records) -> None:
    registry = LocalRegistry()
    log = max((partition.transactions for partition in records.partitions), key=len)
    number = Random(0).randrange(len(log))
    entry = log[number]
    assert isinstance(entry, Entry)
    log[number] = msgspec.structs.replace(entry, value=_one_more(entry.value))
    Writer(bootstrap_servers, registry).write(records)
    findings = findings_of(bootstrap_servers, registry)
    assert findings.violated[Rule.ZERO_SUM] >= 1
    assert entry.where in {violation.where for violation in findings.violations}


def _one_more(transaction: Transaction) -> Transaction:
    first, *others = transaction.postings
    postings = [msgspec.structs.replace(first, amount=first.amount + 1), *others]
    return msgspec.structs.replace(transaction, postings=postings)


def test_empty_topics_are_sound(bootstrap_servers: str) -> None:
    assert findings_of(bootstrap_servers, LocalRegistry()).sound


def test_nobody_there_is_said_in_one_line() -> None:
    app = Typer()
    app.command()(audit)
    nobody = f"127.0.0.1:{free_port()}"
    result = CliRunner().invoke(app, ["--bootstrap-servers", nobody, "--schema-registry", f"http://{nobody}"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert nobody in result.stderr
