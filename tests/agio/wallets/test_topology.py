"""The wallet service's topology: snapshots are the fold of accounts and transactions."""

import pytest

from agio.contracts.events import Account, RequestReference, Transaction, TransactionType, Wallet
from agio.wallets.topology import build
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import TopologyDriver


@pytest.fixture
def driver():
    return TopologyDriver(build(LocalRegistry()))


def account(home="EUR", updated_at=5):
    return Account("alice", "alice", "Alice", home, "active", updated_at)


def transaction(sequence, **balances):
    reference = RequestReference("transaction-requests", 0, sequence)
    return Transaction(
        f"t{sequence}", "alice", TransactionType.DEPOSIT, sequence, [], balances, None, reference, "", 10 + sequence
    )


def wallets(driver):
    return [wallet for _, wallet in driver.read("wallets")]


def test_a_new_account_has_an_empty_wallet(driver):
    driver.pipe("accounts", "alice", account())
    driver.pipe("accounts", "alice", account())
    assert wallets(driver) == [Wallet("alice", "EUR", 0, {}, 5)]


def test_each_transaction_gives_a_snapshot(driver):
    driver.pipe("accounts", "alice", account("USD"))
    driver.pipe("transactions", "alice", transaction(1, EUR=5))
    driver.pipe("transactions", "alice", transaction(2, EUR=5, JPY=7))
    assert wallets(driver)[1:] == [
        Wallet("alice", "USD", 1, {"EUR": 5}, 11),
        Wallet("alice", "USD", 2, {"EUR": 5, "JPY": 7}, 12),
    ]


def test_a_transaction_that_comes_again_changes_nothing_even_after_a_rebuild(driver):
    driver.pipe("transactions", "alice", transaction(1, EUR=5))
    driver.pipe("transactions", "alice", transaction(2, EUR=6))
    driver.restart(lose_state=True)
    driver.pipe("transactions", "alice", transaction(1, EUR=5))
    assert [wallet.sequence for wallet in wallets(driver)] == [1, 2]


def test_an_account_that_comes_after_its_transactions_keeps_the_balances(driver):
    driver.pipe("transactions", "alice", transaction(1, EUR=5))
    driver.pipe("accounts", "alice", account("CHF"))
    assert wallets(driver)[-1] == Wallet("alice", "CHF", 1, {"EUR": 5}, 11)
