"""The records of the jobs: Avro contracts that all systems share, and the classes that tailrace has for them."""

from pathlib import Path

from msgspec import Struct

from tailrace.registry.client import Registry
from tailrace.registry.serde import AvroSerde

PEERS = Path(__file__).parents[1] / "peers"


class Payment(Struct, frozen=True):
    """A payment with its probability of being fraud: what `fraud` filters and `join` enriches."""

    payment_id: str
    account_id: str
    amount: int
    currency: str
    merchant: str
    fraud_probability: float


class Account(Struct, frozen=True):
    """Who owns an account: the table of `join`."""

    account_id: str
    owner: str
    country: str


class Paid(Struct, frozen=True):
    """A payment with its owner: what comes out of `join`."""

    payment_id: str
    owner: str
    amount: int


class Request(Struct, frozen=True):
    """A deposit or a withdrawal that is wanted: what goes into `ledger`."""

    request_id: str
    account_id: str
    kind: str
    amount: int


class Outcome(Struct, frozen=True):
    """What became of a request: what comes out of `ledger`."""

    request_id: str
    account_id: str
    accepted: bool
    balance: int
    sequence: int


def serde(registry: Registry, topic: str, kind: type[Struct]) -> AvroSerde[Struct]:
    """How values of a class are written to a topic; its contract stands beside the peers."""
    schema = (PEERS / f"{kind.__name__.lower()}.avsc").read_text(encoding="utf-8")
    return AvroSerde(registry, f"{topic}-value", schema, kind)
