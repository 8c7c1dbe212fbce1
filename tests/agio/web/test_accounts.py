import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from agio.contracts import topics
from agio.contracts.events import SignUp
from tests.agio.web.conftest import MakePerson, Platform
from tests.agio.web.others import Others, now_ms
from tests.agio.web.running import PASSWORD, Person, WebService, eventually


def test_an_account_is_pending_until_the_database_has_it(person: MakePerson, others: Others) -> None:
    ada = person()
    others.holds_accounts.set()
    try:
        answer = ada.sign_up("GBP", name="  Ada   Lovelace ")
        assert answer.status_code == 201
        account = answer.json()
        assert (account["status"], account["name"], account["home_currency"]) == ("pending", "Ada Lovelace", "GBP")
        assert ada.get("/api/account").json() == account
        refused = ada.submit("deposits", amount="1.00", currency="EUR")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "account_pending")
    finally:
        others.holds_accounts.clear()
    eventually(lambda: ada.get("/api/account").json()["status"] == "active")
    assert ada.get("/api/wallet").json()["balances"] == []


def test_the_cookie_is_for_the_server_alone(person: MakePerson) -> None:
    cookie = person().sign_up().headers["set-cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert cookie.startswith("agio_session=")
    assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= attributes
    assert "secure" not in attributes


def test_the_cookie_is_secure_behind_https(person: MakePerson) -> None:
    ada = person()
    ada.headers["X-Forwarded-Proto"] = "https"
    answer = ada.sign_up()
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"]


def test_a_username_is_taken_once_whatever_its_capitals(person: MakePerson) -> None:
    first, second = person(), person()
    second.username = first.username.upper()
    assert first.sign_up().status_code == 201
    answer = second.sign_up()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "username_taken")
    assert second.get("/api/account").status_code == 401


def test_one_of_many_who_want_a_username_at_once_gets_it(
    platform: Platform, web: WebService, tmp_path: Path, person: MakePerson
) -> None:
    """Also when they ask two instances, which know of each other by the topic only."""
    with WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path, 2) as second:
        people = [Person(url) for url in (web.url, second.url) for _ in range(3)]
        for one in people:
            one.username = people[0].username
        with ThreadPoolExecutor(len(people)) as threads:
            statuses = list(threads.map(lambda one: one.sign_up().status_code, people))
        assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
        owner = people[statuses.index(201)].get("/api/account").json()
        newcomer = person()
        newcomer.username = people[0].username
        assert newcomer.sign_in().json()["account_id"] == owner["account_id"]


def test_an_account_whose_request_was_lost_is_asked_for_at_the_next_sign_in(
    person: MakePerson, others: Others, web: WebService
) -> None:
    ada = person()
    sign_up_without_request(ada.username, others)
    eventually(lambda: ada.sign_in().status_code == 200)
    eventually(lambda: ada.get("/api/account").json()["status"] == "active")


def test_an_account_whose_request_was_lost_is_asked_for_at_the_next_start(
    platform: Platform, others: Others, tmp_path: Path
) -> None:
    username = f"lost-{uuid.uuid4()}"
    sign_up_without_request(username, others)
    with WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path, 3) as second:
        view = second.view()
        sign_up = view.sign_up(username)
        assert sign_up is not None
        eventually(lambda: getattr(view.account(sign_up.account_id), "status", None) == "active")
        view.close()


def sign_up_without_request(username: str, others: Others) -> None:
    password_hash = PasswordHasher().hash(PASSWORD)
    others.write(
        topics.SIGN_UPS,
        username,
        SignUp(username, str(uuid.uuid4()), "Ada", "EUR", password_hash, now_ms() - 60_000),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "ab"},
        {"username": "a b c"},
        {"username": "x" * 65},
        {"username": "ñandú"},
        {"username": 7},
        {"password": "too short"},
        {"password": "x" * 1001},
        {"name": " "},
        {"name": "A\x00da"},
        {"name": "x" * 101},
        {"home_currency": "XXX"},
        {"home_currency": "eur"},
        {"extra": "field"},
        {"name": None},
    ],
    ids=repr,
)
def test_a_sign_up_with_bad_fields_is_refused(person: MakePerson, changes: dict[str, Any]) -> None:
    answer = person().sign_up(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert next(iter(changes)) in answer.json()["error"]["message"]


def test_people_see_their_own_account_only(person: MakePerson) -> None:
    ada, bob = person(), person()
    ada.sign_up(name="Ada")
    bob.sign_up(name="Bob")
    assert (ada.get("/api/account").json()["name"], bob.get("/api/account").json()["name"]) == ("Ada", "Bob")
