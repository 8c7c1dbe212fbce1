import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerHour

from agio.contracts import topics
from agio.web import transactions
from tailrace.client import read_to_end
from tests.agio.web.conftest import MakePerson, Platform
from tests.agio.web.others import Others
from tests.agio.web.running import Person, WebService

IBAN = "DE89370400440532013000"


@pytest.fixture(scope="module")
def ada(web: WebService) -> Person:
    """Somebody with an account and some money."""
    ada = Person(web.url).with_account()
    assert ada.outcome("deposits", amount="1000.00", currency="EUR")["status"] == "succeeded"
    return ada


def test_a_deposit(ada: Person) -> None:
    accepted = ada.submit("deposits", amount="12.5", currency="EUR")
    assert accepted.status_code == 202
    found = ada.transaction(accepted.json()["transaction_id"], wait=20)
    assert (found["type"], found["status"], found["reason"]) == ("DEPOSIT", "succeeded", None)
    assert (found["amount"], found["currency"], found["sequence"]) == ("12.50", "EUR", 2)
    assert found["card"].startswith("Visa test card •••• ")
    assert found["requested_at"] <= found["decided_at"]


def test_an_exchange_tells_the_rate_and_what_was_bought(ada: Person, others: Others) -> None:
    others.quote("EUR", "USD", "1.080000", "1.090000")
    found = ada.outcome("exchanges", sell="EUR", buy="USD", sell_amount="100.00", min_buy_amount="107.00")
    assert (found["status"], found["amount"], found["buy_amount"]) == ("succeeded", "100.00", "108.00")
    assert (found["rate"]["pair"], found["rate"]["bid"], found["rate"]["ask"]) == ("EUR-USD", "1.080000", "1.090000")


def test_a_withdrawal(ada: Person) -> None:
    found = ada.outcome("withdrawals", amount="1.00", currency="EUR", iban="de89 3704 0044 0532 0130 00")
    assert (found["status"], found["iban"], found["amount"]) == ("succeeded", IBAN, "1.00")


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("deposits", {"amount": "1.00", "currency": "DOGE"}, "UNSUPPORTED_CURRENCY"),
        ("deposits", {"amount": "0", "currency": "EUR"}, "INVALID_AMOUNT"),
        ("deposits", {"amount": "-1", "currency": "EUR"}, "INVALID_AMOUNT"),
        ("deposits", {"amount": "one", "currency": "EUR"}, "INVALID_AMOUNT"),
        ("deposits", {"amount": "1.005", "currency": "EUR"}, "AMOUNT_PRECISION"),
        ("deposits", {"amount": "9" * 30, "currency": "EUR"}, "LIMIT_EXCEEDED"),
        ("withdrawals", {"amount": "999999.00", "currency": "EUR", "iban": IBAN}, "INSUFFICIENT_FUNDS"),
        ("exchanges", {"sell": "EUR", "buy": "EUR", "sell_amount": "1.00"}, "SAME_CURRENCY"),
        ("exchanges", {"sell": "EUR", "buy": "CHF", "sell_amount": "1.00"}, "RATE_UNAVAILABLE"),
    ],
)
def test_what_the_ledger_refuses_is_an_event_too(ada: Person, kind: str, body: dict[str, str], reason: str) -> None:
    found = ada.outcome(kind, **body)
    assert (found["status"], found["reason"]) == ("rejected", reason)
    assert found["message"]
    assert found["amount"] == body.get("amount", body.get("sell_amount"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("deposits", {"amount": 12.5, "currency": "EUR"}),
        ("deposits", {"amount": "1" * 65, "currency": "EUR"}),
        ("deposits", {"amount": "", "currency": "EUR"}),
        ("deposits", {"amount": "\ud800", "currency": "EUR"}),
        ("deposits", {"currency": "EUR"}),
        ("deposits", {"amount": "1.00", "currency": "EUR", "account_id": "2f6e1c0a-5b3d-4c8e-9a71-0d4f6b2e8c15"}),
        ("deposits", {"amount": "1.00", "currency": "X" * 17}),
        ("deposits", []),
        ("withdrawals", {"amount": "1.00", "currency": "EUR", "iban": "DE88370400440532013000"}),
        ("withdrawals", {"amount": "1.00", "currency": "EUR"}),
        ("exchanges", {"sell": "EUR", "buy": "USD", "sell_amount": "1.00", "min_buy": "1.00"}),
    ],
    ids=repr,
)
def test_what_has_the_wrong_shape_is_refused_at_once(ada: Person, kind: str, body: Any) -> None:
    answer = ada.post(f"/api/{kind}", content=json.dumps(body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.text(max_size=70), currency=st.text(max_size=20))
def test_no_text_is_more_than_the_service_can_take(ada: Person, amount: str, currency: str) -> None:
    answer = ada.submit("deposits", amount=amount, currency=currency)
    assert answer.status_code in (202, 422)


def test_a_repeated_key_is_done_once(ada: Person, platform: Platform) -> None:
    key = f"key {uuid.uuid4()}"
    first = ada.outcome("deposits", key, amount="5.00", currency="EUR")
    again = ada.submit("deposits", key, amount="5.00", currency="EUR")
    assert again.status_code == 202
    assert again.json() == {"transaction_id": first["transaction_id"], "status": "succeeded"}
    assert requests_recorded(platform, first["transaction_id"]) == 1


def test_a_key_repeated_at_once_is_done_once(ada: Person, platform: Platform) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ada.submit("deposits", key, amount="3.00", currency="EUR"), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    (transaction_id,) = {answer.json()["transaction_id"] for answer in answers}
    assert requests_recorded(platform, transaction_id) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("deposits", {"amount": "5.01", "currency": "EUR"}),
        ("deposits", {"amount": "5.00", "currency": "USD"}),
        ("withdrawals", {"amount": "5.00", "currency": "EUR", "iban": IBAN}),
        ("exchanges", {"sell": "EUR", "buy": "USD", "sell_amount": "5.00"}),
    ],
)
def test_a_key_with_other_content_is_a_conflict(ada: Person, kind: str, body: dict[str, str]) -> None:
    key = str(uuid.uuid4())
    first = ada.outcome("deposits", key, amount="5.00", currency="EUR")
    answer = ada.submit(kind, key, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert ada.transaction(first["transaction_id"]) == first


def test_a_conflict_is_found_while_the_first_is_under_way(ada: Person) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(
            lambda amount: ada.submit("deposits", key, amount=amount, currency="EUR"), ("1.00", "2.00")
        )
        assert sorted(answer.status_code for answer in answers) == [202, 409]


def test_the_same_key_of_two_people_is_two_requests(ada: Person, person: MakePerson) -> None:
    key = str(uuid.uuid4())
    bob = person().with_account()
    hers = ada.outcome("deposits", key, amount="5.00", currency="EUR")
    his = bob.outcome("deposits", key, amount="6.00", currency="EUR")
    assert hers["transaction_id"] != his["transaction_id"]
    assert (hers["status"], his["status"]) == ("succeeded", "succeeded")


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(ada: Person, key: str) -> None:
    headers = {"Idempotency-Key": key}
    answer = ada.post("/api/deposits", json={"amount": "1.00", "currency": "EUR"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_an_accepted_wish_can_be_seen_at_once_and_waited_for(ada: Person, others: Others) -> None:
    others.holds_outcomes.set()
    release = Timer(0.4, others.holds_outcomes.clear)
    try:
        transaction_id = ada.submit("deposits", amount="7.00", currency="EUR").json()["transaction_id"]
        pending = ada.transaction(transaction_id)
        assert (pending["status"], pending["amount"], pending["decided_at"]) == ("pending", "7.00", None)
        assert ada.transaction(transaction_id, wait=0.1)["status"] == "pending"
        assert ada.get("/api/transactions").json()[0] == pending
        release.start()
        assert ada.transaction(transaction_id, wait=20)["status"] == "succeeded"
    finally:
        others.holds_outcomes.clear()


@pytest.mark.parametrize("wait", ["-1", "31", "x", "nan"])
def test_a_wait_that_is_none_is_refused(ada: Person, wait: str) -> None:
    assert ada.get("/api/transactions/x", params={"wait": wait}).status_code == 422


def test_transactions_are_listed_page_by_page_the_newest_first(person: MakePerson) -> None:
    bob = person().with_account()
    ids = [bob.submit("deposits", amount=f"{n}.00", currency="EUR").json()["transaction_id"] for n in range(1, 8)]
    newest_first = ids[::-1]
    listed: list[str] = []
    while page := bob.get(
        "/api/transactions", params={"limit": 3, **({"before": listed[-1]} if listed else {})}
    ).json():
        assert len(page) <= 3
        listed += [one["transaction_id"] for one in page]
    assert listed == newest_first
    assert bob.get("/api/transactions", params={"limit": 0}).status_code == 422
    assert bob.get("/api/transactions", params={"before": "unknown"}).status_code == 404


def test_nobody_sees_anothers_transactions(ada: Person, person: MakePerson) -> None:
    hers = ada.outcome("deposits", amount="2.00", currency="EUR")["transaction_id"]
    bob = person().with_account()
    for response in (
        bob.get(f"/api/transactions/{hers}"),
        bob.get(f"/api/transactions/{hers}", params={"wait": 1}),
        bob.get("/api/transactions", params={"before": hers}),
    ):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert bob.get("/api/transactions").json() == []
    assert bob.get("/api/wallet").json()["balances"] == []


def test_too_many_wishes_of_one_account_are_refused(person: MakePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = person().with_account(), person().with_account()
    few = RateLimitItemPerHour(3, namespace=str(uuid.uuid4()))
    monkeypatch.setattr(transactions, "TRANSACTIONS_PER_ACCOUNT", few)
    answers = [bob.submit("deposits", amount="1.00", currency="EUR") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert ada.submit("deposits", amount="1.00", currency="EUR").status_code == 202


def requests_recorded(platform: Platform, transaction_id: str) -> int:
    messages = read_to_end(platform.bootstrap_servers, [topics.TRANSACTION_REQUESTS.topic])
    return sum(transaction_id.encode() in (message.value() or b"") for message in messages)
