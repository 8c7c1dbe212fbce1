"""The audit passes good histories and notices every corruption."""

import copy
from functools import lru_cache
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agio.audit.check import check
from agio.audit.findings import Findings, Rule
from agio.audit.history import Entry, Read
from agio.contracts.events import RejectedTransaction, Transaction, TransactionRequest, TransactionType

from .corruptions import CORRUPTIONS
from .histories import Exchange, Partition, Records, good_history

SEEDS = 12
TIMES = 40
LIKE_WORK_UNDER_WAY = {"forget_the_last_wallets", "drop_an_outcome", "drop_a_dead_letter"}


@lru_cache(maxsize=SEEDS)
def pristine(seed: int) -> Records:
    return good_history(seed, steps=80)


def fresh(seed: int) -> Records:
    """A good history that may be spoiled: lists of its own, of the same records."""
    records = copy.copy(pristine(seed))
    records.partitions = [
        Partition(list(each.wallets), list(each.requests), list(each.transactions), list(each.rejected))
        for each in records.partitions
    ]
    records.accounts, records.dead_letters = list(records.accounts), list(records.dead_letters)
    return records


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 200), partitions=st.integers(1, 4), accounts=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_a_good_history_is_sound(seed: int, steps: int, partitions: int, accounts: int) -> None:
    records = good_history(seed, steps, partitions=partitions, accounts=accounts)
    findings = check(records.history(), settled=True)
    assert findings.violations == []
    assert findings.sound
    assert (findings.pending, findings.wallets_behind) == (0, 0)
    assert findings.requests == sum(len(each.requests) for each in records.partitions)
    assert findings.transactions == sum(len(each.transactions) for each in records.partitions)
    assert findings.transactions + findings.rejected + findings.repeats + findings.unreadable == findings.requests


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_is_noticed(name: str) -> None:
    """At many random places; and it is not blown up into many violations."""
    corruption, rules = CORRUPTIONS[name]
    spoiled = 0
    for number in range(TIMES):
        records = fresh(number % SEEDS)
        if not corruption(records, Random(f"{name} {number}")):
            continue
        spoiled += 1
        findings = check(records.history(), settled=True)
        assert rules & set(findings.violated), f"{number}: {findings.violations}"
        assert findings.violated.total() < 25, f"{number}: {findings.violations}"
    assert spoiled > TIMES / 3


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - LIKE_WORK_UNDER_WAY))
def test_a_live_system_hides_no_corruption(name: str) -> None:
    """What is wrong is wrong before all is settled too, unless it looks like work under way."""
    corruption, _ = CORRUPTIONS[name]
    for number in range(8):
        records = fresh(number)
        if corruption(records, Random(f"{name} {number}")):
            assert not check(records.history()).sound


@given(seed=st.integers(0, SEEDS - 1), cut=st.integers(0, 40), behind=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_work_under_way_is_pending(seed: int, cut: int, behind: int) -> None:
    records = fresh(seed)
    unanswered = 0
    for partition in records.partitions:
        before = len(partition.transactions) + len(partition.rejected)
        partition.transactions[:] = [entry for entry in partition.transactions if answered_before(entry, cut)]
        partition.rejected[:] = [entry for entry in partition.rejected if answered_before(entry, cut)]
        unanswered += before - len(partition.transactions) - len(partition.rejected)
        last = {entry.key: entry.value.sequence for entry in partition.transactions if isinstance(entry, Entry)}
        partition.wallets[:] = [
            entry
            for entry in partition.wallets
            if isinstance(entry, Entry) and entry.value.sequence <= last.get(entry.key, 0) - behind
        ]
    findings = check(records.history())
    assert findings.violations == []
    assert findings.pending == unanswered
    settled = check(records.history(), settled=True)
    assert settled.sound == (unanswered + settled.wallets_behind == 0)


def test_rates_that_are_not_kept_any_more_cannot_be_compared() -> None:
    for seed in range(SEEDS):
        records = fresh(seed)
        kept = [entry for entry in records.rates if Random(entry.offset).random() < 0.5]
        records.rates = [*kept, *records.rates[-1:]]
        assert check(records.history(), settled=True).sound


def test_a_missing_outcome_is_pending_until_a_later_one_was_visible_for_a_while() -> None:
    """Markers of one Kafka transaction reach the two outcome topics one after the other."""
    exchange = deposits(3)
    log = exchange.records.partitions[0].transactions
    del log[1]
    seen_late = exchange.records.history(answered_to={"transactions": 3, "rejected-transactions": 0})
    assert (check(seen_late).sound, check(seen_late).pending) == (False, 0)
    seen_just_now = exchange.records.history(answered_to={"transactions": 2, "rejected-transactions": 0})
    findings = check(seen_just_now)
    assert Rule.ONE_OUTCOME not in findings.violated
    assert findings.pending == 1


def test_a_balance_below_zero_is_noticed_even_if_it_recovers() -> None:
    exchange = deposits(2)
    log = exchange.records.partitions[0].transactions
    first, second = log
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    postings = [msgspec.structs.replace(each, amount=-each.amount) for each in first.value.postings]
    log[0] = msgspec.structs.replace(
        first, value=msgspec.structs.replace(first.value, postings=postings, balances={"EUR": -100})
    )
    log[1] = msgspec.structs.replace(second, value=msgspec.structs.replace(second.value, balances={}))
    findings = check(exchange.records.history(), settled=True)
    assert "below zero" in messages(findings, Rule.BALANCES)


def test_a_violation_names_its_record_and_whose_it_is() -> None:
    exchange = deposits(2)
    log = exchange.records.partitions[0].transactions
    entry = log[1]
    assert isinstance(entry, Entry)
    log[1] = msgspec.structs.replace(entry, value=msgspec.structs.replace(entry.value, sequence=9))
    violation = next(each for each in check(exchange.records.history()).violations if each.rule is Rule.SEQUENCE)
    assert violation.where == "transactions-0-1"
    assert (violation.account_id, violation.transaction_id) == ("account-0", "deposit 1")
    assert violation.message == "has sequence 9, expected 2"


def test_all_violations_are_counted_and_the_first_are_told() -> None:
    exchange = deposits(50)
    log = exchange.records.partitions[0].transactions
    log[:] = log[-1:]
    findings = check(exchange.records.history(), examples_max=3)
    assert findings.violated[Rule.ONE_OUTCOME] == 49
    assert [each.rule for each in findings.violations].count(Rule.ONE_OUTCOME) == 3


def test_the_books_are_the_sums_of_all_postings() -> None:
    findings = check(deposits(3).records.history(), settled=True)
    assert findings.books == {"external:card": {"EUR": -300}, "users": {"EUR": 300}}


def test_outcomes_far_out_of_place_do_not_hide_those_after_them() -> None:
    exchange = deposits(3000)
    log = exchange.records.partitions[0].transactions
    entry = log[10]
    assert isinstance(entry, Entry)
    assert isinstance(entry.value, Transaction)
    reference = msgspec.structs.replace(entry.value.request, offset=2900)
    log[10] = msgspec.structs.replace(entry, value=msgspec.structs.replace(entry.value, request=reference))
    findings = check(exchange.records.history(), settled=True)
    assert 0 < findings.violated.total() < 15


def answered_before(entry: Read[Transaction] | Read[RejectedTransaction], cut: int) -> bool:
    return isinstance(entry, Entry) and entry.value.request.offset < cut


def deposits(count: int) -> Exchange:
    """One account that deposits 1.00 EUR `count` times."""
    exchange = Exchange(seed=0, partitions=1, accounts=1)
    exchange.random = Random(1)
    for number in range(count):
        exchange.ask(
            "account-0",
            TransactionRequest(f"deposit {number}", "account-0", TransactionType.DEPOSIT, "EUR", "1.00"),
        )
    partition = exchange.records.partitions[0]
    partition.transactions[:] = [msgspec.structs.replace(e, offset=n) for n, e in enumerate(partition.transactions)]
    exchange.publish_wallet("account-0")
    return exchange


def messages(findings: Findings, rule: Rule) -> str:
    return "\n".join(each.message for each in findings.violations if each.rule is rule)
