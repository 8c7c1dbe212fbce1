"""The exchange as the load sees it, in one thread: opens every account, decides every request by the rules."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from agio.contracts import topics
from agio.contracts.events import Account, RateUsed, RequestReference, Transaction
from agio.load.tail import tail
from agio.transactions.model import Ledger, decide, evolve
from tailrace.client import Record, consume_available, producer
from tailrace.clock import now_ms
from tailrace.registry.client import Registry


class FakeExchange:
    """Runs while entered, on what is asked from then on. `deaf_to`: which requests, by number, it never answers."""

    def __init__(
        self, bootstrap_servers: str, registry: Registry, deaf_to: Callable[[int], bool] = lambda _: False
    ) -> None:
        self._reader = tail(bootstrap_servers, [topics.ACCOUNT_REQUESTS.topic, topics.TRANSACTION_REQUESTS.topic])
        self._requests = topics.TRANSACTION_REQUESTS.serde(registry)
        self._account_requests = topics.ACCOUNT_REQUESTS.serde(registry)
        self._accounts = topics.ACCOUNTS.serde(registry)
        self._transactions = topics.TRANSACTIONS.serde(registry)
        self._rejected = topics.REJECTED_TRANSACTIONS.serde(registry)
        self._deaf_to = deaf_to
        self._account_by_id: dict[str, Account] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._seen = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._producer = producer(bootstrap_servers)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            for record in consume_available(self._reader, 1000, 0.02):
                if record.error() is None:
                    self._take(record)
            self._producer.poll(0)
        self._reader.close()

    def _take(self, record: Record) -> None:
        data = record.value()
        assert data is not None
        if record.topic() == topics.ACCOUNT_REQUESTS.topic:
            self._open(data)
        elif not self._deaf_to(self._seen):
            self._decide(record, data)
        self._seen += record.topic() == topics.TRANSACTION_REQUESTS.topic

    def _open(self, data: bytes) -> None:
        request = self._account_requests.decode(data)
        account = Account(request.account_id, request.username, request.name, request.home_currency, "active", now_ms())
        self._account_by_id[account.account_id] = account
        self._producer.produce(topics.ACCOUNTS.topic, self._accounts.encode(account), account.account_id)

    def _decide(self, record: Record, data: bytes) -> None:
        request, now = self._requests.decode(data), now_ms()
        quote = RateUsed("EUR-USD", "1.08", "1.09", now, 0, 0)
        key = request.account_id
        ledger = self._ledgers.get(key, Ledger())
        reference = RequestReference(record.topic(), record.partition(), record.offset())
        outcome = decide(ledger, request, reference, key, self._account_by_id.get(key), {"EUR-USD": quote}.get, now)
        self._ledgers[key] = evolve(ledger, outcome)
        if isinstance(outcome, Transaction):
            self._producer.produce(topics.TRANSACTIONS.topic, self._transactions.encode(outcome), key)
        else:
            self._producer.produce(topics.REJECTED_TRANSACTIONS.topic, self._rejected.encode(outcome), key)
