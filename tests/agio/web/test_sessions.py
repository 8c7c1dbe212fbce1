import hashlib
import secrets

import pytest

from agio.contracts import topics
from agio.contracts.events import Session
from tests.agio.web.conftest import MakePerson
from tests.agio.web.others import Others, now_ms
from tests.agio.web.running import PASSWORD, eventually

SIGNED_IN_ONLY = [
    ("GET", "/api/account"),
    ("GET", "/api/wallet"),
    ("GET", "/api/transactions"),
    ("GET", "/api/transactions/x"),
    ("POST", "/api/deposits"),
    ("POST", "/api/withdrawals"),
    ("POST", "/api/exchanges"),
]


@pytest.mark.parametrize(("method", "path"), SIGNED_IN_ONLY)
@pytest.mark.parametrize("cookie", [None, "forged"])
def test_what_is_one_persons_needs_a_session(person: MakePerson, method: str, path: str, cookie: str | None) -> None:
    stranger = person()
    if cookie:
        stranger.cookies.set("agio_session", cookie)
    answer = stranger.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


def test_signing_in_on_another_device(person: MakePerson) -> None:
    ada, phone = person(), person()
    account = ada.sign_up().json()
    phone.username = ada.username.title()
    assert phone.sign_in().json()["account_id"] == account["account_id"]
    assert ada.get("/api/account").status_code == phone.get("/api/account").status_code == 200


def test_a_wrong_password_and_an_unknown_user_look_alike(person: MakePerson) -> None:
    ada, stranger = person(), person()
    ada.sign_up()
    wrong, unknown = ada.sign_in("wrong " + PASSWORD), stranger.sign_in()
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert "set-cookie" not in wrong.headers


def test_signing_in_again_ends_the_old_session(person: MakePerson) -> None:
    ada, thief = person(), person()
    ada.sign_up()
    thief.cookies.set("agio_session", ada.cookies["agio_session"])
    assert thief.get("/api/account").status_code == 200
    assert ada.sign_in().status_code == 200
    assert ada.get("/api/account").status_code == 200
    assert thief.get("/api/account").status_code == 401


def test_signing_out_ends_the_session_for_good(person: MakePerson) -> None:
    ada = person()
    ada.sign_up()
    token = ada.cookies["agio_session"]
    assert ada.delete("/api/session").status_code == 204
    assert "agio_session" not in ada.cookies
    ada.cookies.set("agio_session", token)
    assert ada.get("/api/account").status_code == 401
    assert ada.delete("/api/session").status_code == 204


def test_a_session_expires(person: MakePerson, others: Others) -> None:
    ada = person()
    account_id = ada.sign_up().json()["account_id"]
    expired, valid = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    for token, expires_at in ((expired, now_ms() - 1), (valid, now_ms() + 60_000)):
        others.write(topics.SESSIONS, hashlib.sha256(token.encode()).hexdigest(), Session(account_id, expires_at))
    other = person()
    other.cookies.set("agio_session", valid)
    eventually(lambda: other.get("/api/account").status_code == 200)
    other.cookies.clear()
    other.cookies.set("agio_session", expired)
    assert other.get("/api/account").status_code == 401


def test_guessing_one_persons_password_is_slowed_down_from_wherever_it_is_tried(person: MakePerson) -> None:
    victim = person().username
    for _ in range(30):
        attacker = person()
        attacker.username = victim
        if (answer := attacker.sign_in()).status_code != 401:
            break
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert person().sign_in().status_code == 401
