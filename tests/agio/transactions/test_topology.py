"""The transaction service's topology, run by the test driver on real contracts."""

import pytest

from agio.contracts.events import (
    Account,
    ExchangeRate,
    Posting,
    Reason,
    RequestReference,
    TransactionRequest,
    TransactionType,
)
from agio.transactions.topology import build
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import ManualClock, TopologyDriver

ALICE = Account("alice", "alice", "Alice", "EUR", "active", 0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def driver(clock):
    driver = TopologyDriver(build(LocalRegistry(), clock), clock=clock)
    driver.pipe("accounts", "alice", ALICE)
    return driver


def request(name, type_, currency, amount, **more):
    return TransactionRequest(name, "alice", TransactionType[type_], currency, amount, **more)


def outcomes(driver):
    done = [value for _, value in driver.read("transactions")]
    rejected = [value for _, value in driver.read("rejected-transactions")]
    return done, rejected


def rate(clock, bid="1.10", ask="1.12"):
    return ExchangeRate("EUR", "USD", bid, ask, clock(), "test")


def test_a_deposit_is_booked_and_names_its_request(driver, clock):
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "12.50"))
    (done,), rejected = outcomes(driver)
    assert done.postings == [Posting("external:card", "EUR", -1250), Posting("user:alice", "EUR", 1250)]
    assert (done.sequence, done.balances, done.decided_at) == (1, {"EUR": 1250}, clock())
    assert done.request == RequestReference("transaction-requests", 0, 0)
    assert rejected == []


def test_an_exchange_takes_the_latest_quote_and_says_which(driver, clock):
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "100.00"))
    driver.pipe("exchange-rates", "EUR-USD", rate(clock, "1.05", "1.06"))
    driver.pipe("exchange-rates", "EUR-USD", rate(clock))
    driver.pipe("transaction-requests", "alice", request("x1", "EXCHANGE", "EUR", "10.00", buy_currency="USD"))
    driver.pipe("transaction-requests", "alice", request("x2", "EXCHANGE", "USD", "1.00", buy_currency="EUR"))
    done, _ = outcomes(driver)
    assert [(t.rate and (t.rate.bid, t.rate.offset), t.balances) for t in done[1:]] == [
        (("1.10", 1), {"EUR": 9000, "USD": 1100}),
        (("1.10", 1), {"EUR": 9089, "USD": 1000}),
    ]


def test_a_quote_grows_stale_as_time_passes(driver, clock):
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "100.00"))
    driver.pipe("exchange-rates", "EUR-USD", rate(clock))
    clock.advance(30_001)
    driver.pipe("transaction-requests", "alice", request("x1", "EXCHANGE", "EUR", "10.00", buy_currency="USD"))
    _, (rejected,) = outcomes(driver)
    assert (rejected.reason, rejected.rate.offset, rejected.sequence) == (Reason.RATE_STALE, 0, 1)


def test_requests_are_refused_until_the_account_is_known_and_after_it_is_closed(driver):
    unknown = TransactionRequest("d1", "bob", TransactionType.DEPOSIT, "EUR", "1.00")
    driver.pipe("transaction-requests", "bob", unknown)
    driver.pipe("accounts", "alice", Account("alice", "alice", "Alice", "EUR", "closed", 1))
    driver.pipe("transaction-requests", "alice", request("d2", "DEPOSIT", "EUR", "1.00"))
    _, rejected = outcomes(driver)
    assert [r.reason for r in rejected] == [Reason.UNKNOWN_ACCOUNT, Reason.ACCOUNT_CLOSED]


def test_an_identity_is_answered_once_and_conflicts_with_other_content_even_after_a_rebuild(driver):
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "1.00"))
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "1.00", requested_at=9))
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "2.00"))
    driver.restart(lose_state=True)
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "1.00"))
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "3.00"))
    done, rejected = outcomes(driver)
    assert [(t.request.offset, t.balances) for t in done] == [(0, {"EUR": 100})]
    assert [(r.request.offset, r.reason) for r in rejected] == [
        (2, Reason.IDEMPOTENCY_CONFLICT),
        (4, Reason.IDEMPOTENCY_CONFLICT),
    ]


def test_a_refused_request_stays_refused_when_the_funds_arrive(driver):
    withdrawal = request("w1", "WITHDRAWAL", "EUR", "1.00", iban="DE89370400440532013000")
    driver.pipe("transaction-requests", "alice", withdrawal)
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "1.00"))
    driver.pipe("transaction-requests", "alice", withdrawal)
    done, rejected = outcomes(driver)
    assert [t.transaction_id for t in done] == ["d1"]
    assert [r.reason for r in rejected] == [Reason.INSUFFICIENT_FUNDS]


def test_a_request_for_another_account_than_its_key_is_refused(driver):
    driver.pipe("transaction-requests", "alice", TransactionRequest("d1", "bob", TransactionType.DEPOSIT, "EUR", "1"))
    _, (rejected,) = outcomes(driver)
    assert (rejected.reason, rejected.account_id) == (Reason.INVALID_REQUEST, "alice")


def test_unreadable_bytes_go_to_the_dead_letters_and_the_next_request_is_served(driver):
    driver.pipe("transaction-requests", "alice", b"\x00\x00\x00\x00\x01garbage")
    driver.pipe("transaction-requests", "alice", b"not avro at all")
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "1.00"))
    letters = driver.read_raw("dead-letters")
    assert [dict(letter.headers())["__connect.errors.topic"] for letter in letters] == [b"transaction-requests"] * 2
    assert len(outcomes(driver)[0]) == 1


def test_replaying_the_same_requests_gives_the_same_bytes(clock):
    logs = []
    for _ in range(2):
        driver = TopologyDriver(build(LocalRegistry(), clock), clock=clock)
        driver.pipe("accounts", "alice", ALICE)
        driver.pipe("exchange-rates", "EUR-USD", rate(clock))
        for number in range(20):
            kind = ("DEPOSIT", "EXCHANGE", "WITHDRAWAL")[number % 3]
            more = {"buy_currency": "USD"} if kind == "EXCHANGE" else {"iban": "x"} if kind == "WITHDRAWAL" else {}
            driver.pipe("transaction-requests", "alice", request(str(number), kind, "EUR", f"{number}.00", **more))
        logs.append(
            [record.value() for topic in ("transactions", "rejected-transactions") for record in driver.log[topic]]
        )
    assert logs[0] == logs[1]
    assert len(logs[0]) == 20


@pytest.mark.parametrize(
    ("bid", "ask", "age_ms", "reason"),
    [
        ("1.12", "1.10", 0, Reason.RATE_UNAVAILABLE),
        ("-1", "1.10", 0, Reason.RATE_UNAVAILABLE),
        ("1.10", "1.12", 30_001, Reason.RATE_STALE),
        ("1.10", "1.12", -30_001, Reason.RATE_STALE),
    ],
    ids=["crossed", "negative", "old", "from the future"],
)
def test_nobody_trades_on_a_quote_that_is_crossed_nonsense_or_of_another_time(driver, clock, bid, ask, age_ms, reason):
    driver.pipe("transaction-requests", "alice", request("d1", "DEPOSIT", "EUR", "100.00"))
    driver.pipe("exchange-rates", "EUR-USD", ExchangeRate("EUR", "USD", bid, ask, clock() - age_ms, "test"))
    driver.pipe("transaction-requests", "alice", request("x1", "EXCHANGE", "EUR", "10.00", buy_currency="USD"))
    _, (rejected,) = outcomes(driver)
    assert rejected.reason is reason
