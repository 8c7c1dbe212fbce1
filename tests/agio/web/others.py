"""The other services of the exchange in one thread: accounts, decisions by the ledger's rules, wallets, quotes."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from agio.contracts import topics
from agio.contracts.events import (
    Account,
    AccountRequest,
    ExchangeRate,
    RateUsed,
    RequestReference,
    Transaction,
    TransactionRequest,
    Wallet,
)
from agio.contracts.topics import CONTRACTS, Contract
from agio.transactions.model import Ledger, conflict, decide, digest, evolve
from tailrace.client import Record, consume, consumer, producer
from tailrace.registry.client import RegistryClient

READ = (topics.ACCOUNT_REQUESTS, topics.TRANSACTION_REQUESTS)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Others:
    """Runs between entry and exit. Holds outcomes, or accounts, back while told to."""

    def __init__(self, bootstrap_servers: str, schema_registry: str) -> None:
        registry = RegistryClient(schema_registry)
        self._bootstrap_servers = bootstrap_servers
        self._serdes = {contract.topic: contract.serde(registry) for contract in CONTRACTS}
        self._producer = producer(bootstrap_servers, linger_ms=0)
        self._accounts: dict[str, Account] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._decided: dict[str, str] = {}
        self._quotes: dict[str, RateUsed] = {}
        self._stop = threading.Event()
        self.holds_outcomes = threading.Event()
        self.holds_accounts = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush(60)

    def quote(self, base: str, quote: str, bid: str, ask: str) -> None:
        """Publish a quote of now."""
        as_of = now_ms()
        self._quotes[f"{base}-{quote}"] = RateUsed(f"{base}-{quote}", bid, ask, as_of, 0, 0)
        self.write(topics.EXCHANGE_RATES, f"{base}-{quote}", ExchangeRate(base, quote, bid, ask, as_of, "test"))

    def write(self, contract: Contract[Any], key: str, event: object) -> None:
        """Write a record and wait until it is there."""
        self.produce(contract, key, event)
        assert self._producer.flush(60) == 0

    def produce(self, contract: Contract[Any], key: str, event: object) -> None:
        """Write a record soon."""
        self._producer.produce(contract.topic, self._serdes[contract.topic].encode(event), key.encode())

    def produce_bytes(self, contract: Contract[Any], key: bytes, value: bytes) -> None:
        """Write a record that is no event, and wait until it is there."""
        self._producer.produce(contract.topic, value, key)
        assert self._producer.flush(60) == 0

    def _run(self) -> None:
        reader = consumer(self._bootstrap_servers, "others")
        reader.subscribe([contract.topic for contract in READ])
        waiting: list[Record] = []
        while not self._stop.is_set():
            waiting += consume(reader, 1000, 0.05)
            waiting = list(self._work(waiting))
            self._producer.poll(0)
        reader.close()

    def _work(self, messages: Iterable[Record]) -> Iterable[Record]:
        """Do what can be done, and give back what has to wait."""
        for message in messages:
            assert message.error() is None, message.error()
            value = message.value()
            assert value is not None
            gate = self.holds_accounts if message.topic() == topics.ACCOUNT_REQUESTS.topic else self.holds_outcomes
            if gate.is_set():
                yield message
            elif message.topic() == topics.ACCOUNT_REQUESTS.topic:
                self._open(self._serdes[topics.ACCOUNT_REQUESTS.topic].decode(value))
            else:
                self._decide(message, self._serdes[topics.TRANSACTION_REQUESTS.topic].decode(value))

    def _open(self, asked: AccountRequest) -> None:
        account = Account(asked.account_id, asked.username, asked.name, asked.home_currency, "active", now_ms())
        self._accounts[account.account_id] = account
        self.produce(topics.ACCOUNTS, account.account_id, account)
        self.produce(
            topics.WALLETS, account.account_id, Wallet(account.account_id, account.home_currency, 0, {}, now_ms())
        )

    def _decide(self, message: Record, request: TransactionRequest) -> None:
        key = (message.key() or b"").decode()
        ledger = self._ledgers.get(key, Ledger())
        reference = RequestReference(message.topic(), message.partition(), message.offset())
        known = self._decided.setdefault(request.transaction_id, digest(request))
        if known != digest(request):
            self.produce(topics.REJECTED_TRANSACTIONS, key, conflict(ledger, request, reference, key, now_ms()))
            return
        account = self._accounts.get(key)
        outcome = decide(ledger, request, reference, key, account, self._quotes.get, now_ms())
        if not isinstance(outcome, Transaction):
            self.produce(topics.REJECTED_TRANSACTIONS, key, outcome)
            return
        self._ledgers[key] = ledger = evolve(ledger, outcome)
        self.produce(topics.TRANSACTIONS, key, outcome)
        home = account.home_currency if account else "EUR"
        self.produce(topics.WALLETS, key, Wallet(key, home, ledger.sequence, dict(ledger.balances), now_ms()))
