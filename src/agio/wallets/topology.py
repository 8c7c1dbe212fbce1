"""The wallet service as a data flow: accounts and transactions are folded into snapshots."""

from agio.contracts import topics
from agio.contracts.events import Account, Transaction, Wallet
from tailrace.registry.client import Registry
from tailrace.streams import OnError, Topology
from tailrace.streams.record import Record

# The state of an account before anything is known of it.
NOTHING = Wallet("", "EUR", -1, {}, 0)


def build(registry: Registry) -> Topology:
    """Describe the service."""
    topology = Topology("wallets", on_unreadable=OnError.DEAD_LETTER)
    accounts = topology.stream("accounts", topics.ACCOUNTS.serde(registry))
    transactions = topology.stream("transactions", topics.TRANSACTIONS.serde(registry))
    accounts.merge(transactions).decide("wallets", decide, evolve, initial=NOTHING).to(
        "wallets", topics.WALLETS.serde(registry)
    )
    return topology


def decide(key: str, wallet: Wallet, event: Account | Transaction, record: Record) -> tuple[Wallet, ...]:
    """Give the new snapshot, or none for a transaction that the wallet contains already."""
    if isinstance(event, Account):
        sequence, updated_at = max(wallet.sequence, 0), max(wallet.updated_at, event.updated_at)
        opened = Wallet(key, event.home_currency, sequence, wallet.balances, updated_at)
        return () if opened == wallet else (opened,)
    if event.sequence <= wallet.sequence:
        return ()
    return (Wallet(key, wallet.home_currency, event.sequence, event.balances, event.decided_at),)


def evolve(wallet: Wallet, snapshot: Wallet) -> Wallet:
    """A snapshot is the whole state."""
    return snapshot
