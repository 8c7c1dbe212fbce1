"""The topics of the exchange: names, contracts and how they are kept. Every topic is made from this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from agio.contracts import events
from tailrace.client import Topic
from tailrace.registry.client import Registry
from tailrace.registry.serde import AvroSerde

T = TypeVar("T")

# Topics keyed by account share this number, so that an account's records meet in one task.
ACCOUNT_PARTITIONS = 6

FOREVER = MappingProxyType({"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"})
COMPACT = MappingProxyType({"cleanup.policy": "compact"})
LATEST = MappingProxyType(
    {"cleanup.policy": "compact,delete", "retention.ms": "604800000", "segment.bytes": "16777216"}
)


@dataclass(frozen=True)
class Contract(Generic[T]):
    """What a topic holds: its event class, its Avro schema beside this file, its partitions and its retention."""

    topic: str
    type: type[T]
    partitions: int
    config: Mapping[str, str]

    @property
    def subject(self) -> str:
        """Name under which the registry knows the contract."""
        return f"{self.topic}-value"

    @cached_property
    def schema(self) -> str:
        """The Avro schema as JSON text."""
        return Path(__file__).with_name(f"{self.topic}.avsc").read_text(encoding="utf-8")

    def serde(self, registry: Registry) -> AvroSerde[T]:
        """Codec of the topic's values."""
        return AvroSerde(registry, self.subject, self.schema, self.type)

    def as_topic(self) -> Topic:
        """The topic as the cluster should have it."""
        return Topic(self.topic, self.partitions, self.config)


ACCOUNT_REQUESTS = Contract("account-requests", events.AccountRequest, ACCOUNT_PARTITIONS, FOREVER)
ACCOUNTS = Contract("accounts", events.Account, ACCOUNT_PARTITIONS, COMPACT)
TRANSACTION_REQUESTS = Contract("transaction-requests", events.TransactionRequest, ACCOUNT_PARTITIONS, FOREVER)
TRANSACTIONS = Contract("transactions", events.Transaction, ACCOUNT_PARTITIONS, FOREVER)
REJECTED_TRANSACTIONS = Contract("rejected-transactions", events.RejectedTransaction, ACCOUNT_PARTITIONS, FOREVER)
EXCHANGE_RATES = Contract("exchange-rates", events.ExchangeRate, 1, LATEST)
WALLETS = Contract("wallets", events.Wallet, ACCOUNT_PARTITIONS, COMPACT)
SIGN_UPS = Contract("sign-ups", events.SignUp, 1, FOREVER)
SESSIONS = Contract("sessions", events.Session, 1, COMPACT)

CONTRACTS: tuple[Contract[Any], ...] = (
    ACCOUNT_REQUESTS,
    ACCOUNTS,
    TRANSACTION_REQUESTS,
    TRANSACTIONS,
    REJECTED_TRANSACTIONS,
    EXCHANGE_RATES,
    WALLETS,
    SIGN_UPS,
    SESSIONS,
)
DEAD_LETTERS = Topic("dead-letters", 1, FOREVER)
