"""The jobs in Bytewax, with fastavro; at least once, because its Kafka sink does no more.

Positions and state are kept in snapshots of its own, not in consumer groups and changelogs.
"""

import json
import os
import signal
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow, Stream
from bytewax.operators import KeyedStream, StatefulLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.arguments import FRAUD, GRACE_MS, OUTCOME, PAID, PAYMENT, WINDOW_MS, Arguments, parse, schema
from benchmarks.peers.avro import decoder, encoder

SNAPSHOT_EVERY = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TUNED_SNAPSHOT_EVERY = timedelta(seconds=1)  # less to do again after a crash
TUNED_SOURCE = {
    "queued.min.messages": "100000",  # fetch ahead
    "fetch.queue.backoff.ms": "5",  # go on soon when the queue was full
}
TUNED_SINK = {"compression.type": "lz4", "batch.size": "1000000", "queue.buffering.max.messages": "1000000"}

Source = KafkaSourceMessage[Any, Any]
Sink = KafkaSinkMessage[Any, Any]


class Topics:
    """The topics of a dataflow."""

    def __init__(self, flow: Dataflow, arguments: Arguments) -> None:
        self._flow = flow
        self._arguments = arguments
        self._brokers = [arguments.bootstrap_servers]
        self._decode = decoder(arguments.registry)

    def raw(self, step: str, topic: str) -> Stream[Source]:
        """Records with bytes."""
        config = TUNED_SOURCE if self._arguments.tuned else {}
        return op.input(step, self._flow, KafkaSource(self._brokers, [topic], add_config=config))

    def avro(self, step: str, topic: str) -> KeyedStream[Source]:
        """Records with values of Avro, by key."""
        decode = self._decode
        records = op.map(f"decode-{step}", self.raw(step, topic), lambda record: decoded(record, decode))
        return op.key_on(f"key-{step}", records, lambda record: record.key.decode())

    def write(self, results: Stream[Sink]) -> None:
        """Write what comes out."""
        config = TUNED_SINK if self._arguments.tuned else {}
        kop.output("output", results, brokers=self._brokers, topic=self._arguments.output, add_config=config)

    def encoded(self, results: KeyedStream[tuple[Source, Any]], contract: str) -> Stream[Sink]:
        """Values in Avro, with the key and the time of the record that each comes from."""
        encode = encoder(self._arguments.registry, self._arguments.output, schema(contract))
        return op.map("encode", results, lambda keyed: sink(keyed[1][0], encode(keyed[1][1])))


def decoded(record: Source, decode: Any) -> Source:
    """The record with its value decoded."""
    return KafkaSourceMessage(record.key, decode(record.value), timestamp=record.timestamp)


def sink(record: Source, value: bytes) -> Sink:
    """A result with the key and the time of its record."""
    assert record.timestamp is not None
    return KafkaSinkMessage(record.key, value, timestamp=record.timestamp[1])


def fraud(topics: Topics, arguments: Arguments) -> None:
    """Pass on payments that are probably fraud."""
    payments = topics.avro("payments", arguments.input)
    fraudulent = op.filter("fraud", payments, lambda keyed: keyed[1].value["fraud_probability"] > FRAUD)
    topics.write(topics.encoded(op.map_value("pair", fraudulent, lambda record: (record, record.value)), PAYMENT))


@dataclass
class Account(StatefulLogic[Source, tuple[Source, Any], Any]):
    """One account's balance and the requests it has settled."""

    balance: int = 0
    sequence: int = 0
    settled: set[str] = field(default_factory=set)

    def on_item(self, value: Source) -> tuple[Iterable[tuple[Source, Any]], bool]:
        """Decide on a request, unless it was decided on before."""
        request = value.value
        if request["request_id"] in self.settled:
            return (), False
        change = request["amount"] if request["kind"] == "deposit" else -request["amount"]
        accepted = self.balance + change >= 0
        if accepted:
            self.balance += change
        self.sequence += 1
        self.settled.add(request["request_id"])
        outcome = {
            "request_id": request["request_id"],
            "account_id": request["account_id"],
            "accepted": accepted,
            "balance": self.balance,
            "sequence": self.sequence,
        }
        return [(value, outcome)], False

    def snapshot(self) -> Any:
        """What the next process needs."""
        return Account(self.balance, self.sequence, set(self.settled))

    @classmethod
    def build(cls, resumed: Self | None) -> Self:
        """Begin anew or go on."""
        return cls() if resumed is None else cls(resumed.balance, resumed.sequence, set(resumed.settled))


def ledger(topics: Topics, arguments: Arguments) -> None:
    """Decide on deposits and withdrawals, each once."""
    outcomes = op.stateful("settle", topics.avro("requests", arguments.input), Account.build)
    topics.write(topics.encoded(outcomes, OUTCOME))


@dataclass
class Count(win.WindowLogic[Source, tuple[Source, int], int]):
    """A window that gives its count at every update; the library's own ones do when they close."""

    count: int = 0

    def on_value(self, value: Source) -> Iterable[tuple[Source, int]]:
        """Count one more."""
        self.count += 1
        return [(value, self.count)]

    def on_merge(self, original: Self) -> Iterable[tuple[Source, int]]:
        """Windows of fixed length do not merge."""
        return ()

    def on_close(self) -> Iterable[tuple[Source, int]]:
        """Everything was said before."""
        return ()

    def snapshot(self) -> int:
        """What the next process needs."""
        return self.count


def windows(topics: Topics, arguments: Arguments) -> None:
    """Count the records of a key in each minute."""
    records = op.key_on("key", topics.raw("clicks", arguments.input), lambda record: record.key.decode())
    clock = win.EventClock(
        lambda record: EPOCH + timedelta(milliseconds=record.timestamp[1]), timedelta(milliseconds=GRACE_MS)
    )
    minutes = win.TumblingWindower(timedelta(milliseconds=WINDOW_MS), EPOCH)
    counted = win.window("count", records, clock, minutes, lambda count: Count(count or 0), ordered=False)
    # (key, (window, (record, count)))
    results = op.map("encode", counted.down, lambda keyed: sink(keyed[1][1][0], json.dumps(keyed[1][1][1]).encode()))
    topics.write(results)


@dataclass
class Owner(StatefulLogic[tuple[bool, Source], tuple[Source, Any], Any]):
    """What is known of an account, and payments that came before it."""

    owner: str | None = None
    waiting: list[Source] = field(default_factory=list)

    def on_item(self, value: tuple[bool, Source]) -> tuple[Iterable[tuple[Source, Any]], bool]:
        """Take an account, or pay."""
        is_account, record = value
        if is_account:
            self.owner = record.value["owner"]
            waiting, self.waiting = self.waiting, []
            return [self._pay(each) for each in waiting], False
        if self.owner is None:
            self.waiting.append(record)
            return (), False
        return [self._pay(record)], False

    def _pay(self, record: Source) -> tuple[Source, Any]:
        payment = record.value
        return record, {"payment_id": payment["payment_id"], "owner": self.owner, "amount": payment["amount"]}

    def snapshot(self) -> Any:
        """What the next process needs."""
        return Owner(self.owner, list(self.waiting))


def join(topics: Topics, arguments: Arguments) -> None:
    """Give payments the owners of their accounts; nothing orders the two topics, so a payment waits for its account."""
    assert arguments.table is not None
    accounts = op.map_value("account", topics.avro("accounts", arguments.table), lambda record: (True, record))
    payments = op.map_value("payment", topics.avro("payments", arguments.input), lambda record: (False, record))
    both = op.merge("both", accounts, payments)
    paid = op.stateful("join", both, lambda resumed: Owner() if resumed is None else copy(resumed))
    topics.write(topics.encoded(paid, PAID))


def main() -> None:
    """Run until SIGTERM: there is no way to ask a dataflow to end, and what the sink took is written."""
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    flow = Dataflow(arguments.application)
    jobs = {each.__name__: each for each in (fraud, ledger, windows, join)}
    jobs[arguments.job](Topics(flow, arguments), arguments)
    snapshots = arguments.state / "snapshots"
    if not snapshots.exists():
        snapshots.mkdir(parents=True)
        init_db_dir(snapshots, 1)
    every = TUNED_SNAPSHOT_EVERY if arguments.tuned else SNAPSHOT_EVERY
    cli_main(flow, workers_per_process=1, epoch_interval=every, recovery_config=RecoveryConfig(str(snapshots)))


if __name__ == "__main__":
    main()
