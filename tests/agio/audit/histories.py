"""Good histories of the exchange, made with the ledger's rules, as lists that a test can spoil."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import msgspec

from agio.audit.history import Entry, History, Outcome, PartitionHistory, Read, Unreadable
from agio.contracts.events import (
    Account,
    ExchangeRate,
    RateUsed,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
    TransactionType,
    Wallet,
)
from agio.transactions.model import Ledger, conflict, decide, digest, evolve

T = TypeVar("T")
START_MS = 1_700_000_000_000
PAIRS = {"EUR-USD": "1.08", "EUR-JPY": "161.5", "BTC-USD": "97000.5"}
# How often each happens, relative to the others.
EVENTS = {"ask": 20, "quote": 8, "repeat": 1, "conflict": 1, "stranger": 1, "garbage": 1, "close": 0.1}
CURRENCIES = ["EUR", "USD", "JPY", "BTC", "XXX"]


@dataclass
class Partition:
    """What one partition of the topics keyed by account holds."""

    wallets: list[Read[Wallet]] = field(default_factory=list)
    requests: list[Read[TransactionRequest]] = field(default_factory=list)
    transactions: list[Read[Transaction]] = field(default_factory=list)
    rejected: list[Read[RejectedTransaction]] = field(default_factory=list)


@dataclass
class Records:
    """What all topics hold."""

    partitions: list[Partition]
    accounts: list[Read[Account]] = field(default_factory=list)
    dead_letters: list[RequestReference] = field(default_factory=list)
    rates: list[Read[ExchangeRate]] = field(default_factory=list)

    def history(self, *, answered_to: dict[str, int] | None = None) -> History:
        return History(
            accounts=self.accounts,
            dead_letters=self.dead_letters,
            partitions=[
                PartitionHistory(
                    number=number,
                    wallets=partition.wallets,
                    requests=partition.requests,
                    transactions=partition.transactions,
                    rejected=partition.rejected,
                    answered_to=answered_to or {"transactions": 10**9, "rejected-transactions": 10**9},
                )
                for number, partition in enumerate(self.partitions)
            ],
            rates=self.rates,
            rates_end={0: 10**6 if not self.rates else self.rates[-1].offset + 1},
        )


def append(log: list[Read[T]], topic: str, partition: int, key: str, value: T, gap: int = 1) -> Entry[T]:
    """Append a record; `gap` above 1 leaves room where a transaction's marker was."""
    entry = Entry(topic, partition, log[-1].offset + gap if log else 0, key, value)
    log.append(entry)
    return entry


class Exchange:
    """A service as it should be: asks at random, decides by the rules, and writes everything down.

    `gaps`: offsets are left out now and then, as markers of transactions do.
    """

    def __init__(self, seed: int, partitions: int = 2, accounts: int = 4, gaps: bool = True) -> None:
        self.random = Random(seed)
        self.gaps = [1, 1, 1, 2] if gaps else [1]
        self.records = Records([Partition() for _ in range(partitions)])
        self.now_ms = START_MS
        self.ledgers: dict[str, Ledger] = {}
        self.asked: dict[str, dict[str, TransactionRequest]] = {}
        self.accounts: dict[str, Account] = {}
        self.quotes: dict[str, RateUsed] = {}
        for number in range(accounts):
            self.open_account(f"account-{number}")

    def open_account(self, account_id: str) -> None:
        account = Account(account_id, account_id, "", "EUR", "active", self.now_ms)
        self.accounts[account_id] = account
        append(self.records.accounts, "accounts", self.partition_of(account_id), account_id, account)

    def partition_of(self, account_id: str) -> int:
        return sum(account_id.encode()) % len(self.records.partitions)

    def quote(self, pair: str) -> None:
        bid = f"{float(PAIRS[pair]) * self.random.uniform(0.9, 1.1):.5f}"
        ask = f"{float(bid) * 1.01:.5f}"
        base, quote = pair.split("-")
        rate = ExchangeRate(base, quote, bid, ask, self.now_ms, "test")
        entry = append(self.records.rates, "exchange-rates", 0, pair, rate)
        self.quotes[pair] = RateUsed(pair, bid, ask, self.now_ms, 0, entry.offset)

    def ask(self, key: str, request: TransactionRequest) -> Outcome | None:
        """Do all that follows from a request."""
        partition = self.records.partitions[self.partition_of(key)]
        gap = self.random.choice(self.gaps)
        entry = append(partition.requests, "transaction-requests", self.partition_of(key), key, request, gap)
        reference = RequestReference(entry.topic, entry.partition, entry.offset)
        asked = self.asked.setdefault(key, {})
        earlier = asked.setdefault(request.transaction_id, request)
        ledger = self.ledgers.get(key, Ledger())
        outcome: Outcome
        if earlier is not request and digest(earlier) == digest(request):
            return None
        if earlier is not request:
            outcome = conflict(ledger, request, reference, key, self.now_ms)
        else:
            account = self.accounts.get(key)
            outcome = decide(ledger, request, reference, key, account, self.quotes.get, self.now_ms)
        self.ledgers[key] = evolve(ledger, outcome)
        if isinstance(outcome, Transaction):
            append(partition.transactions, "transactions", entry.partition, key, outcome, gap)
            if self.random.random() < 0.7:
                self.publish_wallet(key)
        else:
            append(partition.rejected, "rejected-transactions", entry.partition, key, outcome, gap)
        return outcome

    def publish_wallet(self, key: str) -> None:
        ledger, number = self.ledgers.get(key, Ledger()), self.partition_of(key)
        wallet = Wallet(key, "EUR", ledger.sequence, ledger.balances, self.now_ms)
        append(self.records.partitions[number].wallets, "wallets", number, key, wallet)

    def send_garbage(self, number: int) -> None:
        log = self.records.partitions[number].requests
        offset = log[-1].offset + 1 if log else 0
        log.append(Unreadable("transaction-requests", number, offset, "not Avro"))
        self.records.dead_letters.append(RequestReference("transaction-requests", number, offset))

    def random_request(self, key: str) -> TransactionRequest:
        random = self.random
        kind = random.choices(list(TransactionType), [5, 2, 4])[0]
        currency = random.choices(CURRENCIES, [8, 8, 3, 1, 1])[0]
        decimals = {"JPY": 0, "BTC": 4}.get(currency, 2) + (random.random() < 0.05)
        return TransactionRequest(
            transaction_id=f"{random.getrandbits(64):x}",
            account_id=key if random.random() < 0.98 else "somebody-else",
            type=kind,
            currency=currency,
            amount=f"{random.uniform(0.01, 100):.{decimals}f}",
            buy_currency=random.choice(CURRENCIES) if kind is TransactionType.EXCHANGE else None,
            min_buy_amount="50" if kind is TransactionType.EXCHANGE and random.random() < 0.2 else None,
            card="tok 4242" if kind is TransactionType.DEPOSIT else None,
            iban="DE02" if kind is TransactionType.WITHDRAWAL else None,
            requested_at=self.now_ms,
        )

    def live(self, steps: int) -> Records:
        """Let many things happen and bring all wallets up to date."""
        for pair in PAIRS:
            self.quote(pair)
        for _ in range(steps):
            self.step()
        for key in self.ledgers:
            self.publish_wallet(key)
        return self.records

    def step(self) -> None:
        random = self.random
        self.now_ms += random.choice([0, 1, 500, 6_000])
        key = random.choice(list(self.accounts))
        asked = list(self.asked.get(key, {}).values())
        match random.choices(list(EVENTS), list(EVENTS.values()))[0]:
            case "ask":
                self.ask(key, self.random_request(key))
            case "quote":
                self.quote(random.choice(list(PAIRS)))
            case "repeat" if asked:
                self.ask(key, msgspec.structs.replace(random.choice(asked), requested_at=self.now_ms))
            case "conflict" if asked:
                self.ask(key, msgspec.structs.replace(random.choice(asked), amount="77777"))
            case "stranger":
                self.ask("stranger", self.random_request("stranger"))
            case "garbage":
                self.send_garbage(random.randrange(len(self.records.partitions)))
            case "close":
                self.accounts[key] = closed = msgspec.structs.replace(self.accounts[key], status="closed")
                append(self.records.accounts, "accounts", self.partition_of(key), key, closed)


def good_history(seed: int, steps: int = 150, **shape: Any) -> Records:
    """A history in which everything is right; the same for the same seed."""
    return Exchange(seed, **shape).live(steps)
