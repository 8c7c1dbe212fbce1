"""A customer's way through the exchange, from sign-up to withdrawal, on both engines."""

from decimal import Decimal

import pytest

from tailrace.client import producer, read_to_end


def test_deposit_exchange_withdraw(exchange):
    ada = exchange.customer("ada")
    assert ada.balances() == {}
    assert ada.deposit("100.00", "EUR")["status"] == "succeeded"
    exchanged = ada.exchange("40.00", "EUR", "USD")
    assert exchanged["status"] == "succeeded"
    bought = Decimal("40.00") * Decimal(exchanged["rate"]["bid"])
    assert Decimal("0") <= bought - Decimal(exchanged["buy_amount"]) < Decimal("0.01")
    assert ada.withdraw("10.00", "EUR")["status"] == "succeeded"
    assert wait_for_balances(ada, {"EUR": "50.00", "USD": exchanged["buy_amount"]})
    total = ada.wallet()["total"]
    assert total["currency"] == "EUR"
    assert Decimal("85") < Decimal(total["amount"]) < Decimal("95")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (("withdraw", "1000.00", "EUR"), "INSUFFICIENT_FUNDS"),
        (("deposit", "0", "EUR"), "INVALID_AMOUNT"),
        (("deposit", "-5.00", "EUR"), "INVALID_AMOUNT"),
        (("deposit", "1.001", "EUR"), "AMOUNT_PRECISION"),
        (("deposit", "1.5", "JPY"), "AMOUNT_PRECISION"),
        (("deposit", "99999999999999999999", "EUR"), "LIMIT_EXCEEDED"),
        (("deposit", "1.00", "XXX"), "UNSUPPORTED_CURRENCY"),
        (("exchange", "1.00", "EUR", "EUR"), "SAME_CURRENCY"),
        (("exchange", "1.00", "USD", "GBP"), "RATE_UNAVAILABLE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_cannot_be_done_is_rejected_with_its_reason(exchange, rejected_customer, request_, reason):
    what, *arguments = request_
    outcome = getattr(rejected_customer, what)(*arguments)
    assert (outcome["status"], outcome["reason"]) == ("rejected", reason)
    assert outcome["message"].endswith(".")


@pytest.fixture(scope="module")
def rejected_customer(exchange):
    return exchange.customer("rejected")


def test_a_retried_request_is_done_once_and_another_content_conflicts(exchange):
    grace = exchange.customer("grace")
    first = grace.ask("deposits", key="payday", amount="7.00", currency="EUR")
    assert grace.ask("deposits", key="payday", amount="7.00", currency="EUR") == first
    assert grace.outcome(first)["status"] == "succeeded"
    answer = grace.http.post(
        "/api/deposits", json={"amount": "8.00", "currency": "EUR"}, headers={"Idempotency-Key": "payday"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert wait_for_balances(grace, {"EUR": "7.00"})


def test_nobody_sees_what_is_anothers(exchange):
    alan, eve = exchange.customer("alan"), exchange.customer("eve")
    transaction = alan.ask("deposits", amount="5.00", currency="EUR")
    alan.outcome(transaction)
    assert eve.http.get(f"/api/transactions/{transaction}").status_code == 404
    assert eve.http.get("/api/transactions").json() == []
    assert eve.balances() == {}


def test_unreadable_bytes_become_a_dead_letter_and_the_service_goes_on(exchange):
    mallory = exchange.customer("mallory")
    account_id = mallory.http.get("/api/account").json()["account_id"]
    vandal = producer(exchange.bootstrap_servers)
    vandal.produce("transaction-requests", b"\x00\x00\x00\x00\x00 no avro", key=account_id)
    vandal.produce("exchange-rates", b"nonsense", key="EUR-USD")
    assert vandal.flush(60) == 0
    assert mallory.deposit("1.00", "EUR")["status"] == "succeeded"
    assert mallory.exchange("1.00", "EUR", "USD")["status"] == "succeeded"
    letters = [
        dict(record.headers())
        for record in read_to_end(exchange.bootstrap_servers, ["dead-letters"])
        if record.key() == account_id.encode()
    ]
    assert [letter["__connect.errors.topic"] for letter in letters] == [b"transaction-requests"]
    assert letters[0]["__connect.errors.exception.message"]


def test_a_restart_keeps_accounts_sessions_and_balances(exchange):
    kept = exchange.customer("kept")
    kept.deposit("12.34", "CHF")
    assert wait_for_balances(kept, {"CHF": "12.34"})
    assert exchange.stop() < 5.0
    exchange.start()
    assert kept.balances() == {"CHF": "12.34"}
    kept.http.cookies.clear()
    assert kept.http.get("/api/account").status_code == 401
    kept.log_in()
    assert kept.withdraw("2.34", "CHF")["status"] == "succeeded"
    assert wait_for_balances(kept, {"CHF": "10.00"})


def test_the_audit_finds_the_history_sound(exchange):
    """Runs last in this module, on all that the other tests did."""
    findings = exchange.settled_audit()
    assert findings["sound"]


def wait_for_balances(customer, balances, tries=100):
    """The wallet follows the transaction within a moment."""
    import time

    for _ in range(tries):
        if customer.balances() == balances:
            return True
        time.sleep(0.05)
    raise AssertionError(f"{customer.balances()} instead of {balances}")
