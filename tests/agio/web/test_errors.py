"""Every refusal has the API's shape and a described status; `conversation.check` looks at each answer too."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agio.web.conftest import MakePerson
from tests.agio.web.conversation import description
from tests.agio.web.running import Person, WebService

FIELDS = st.sampled_from("username password name home_currency amount currency iban sell buy sell_amount".split())
POSTS = ["/api/accounts", "/api/session", "/api/deposits", "/api/withdrawals", "/api/exchanges"]
ROUTES = {
    "/api/accounts": "post",
    "/api/session": "post delete",
    "/api/account": "get",
    "/api/deposits": "post",
    "/api/withdrawals": "post",
    "/api/exchanges": "post",
    "/api/transactions": "get",
    "/api/transactions/{transaction_id}": "get",
    "/api/wallet": "get",
    "/api/rates": "get",
    "/api/events": "get",
    "/api/currencies": "get",
    "/health/live": "get",
    "/health/ready": "get",
}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_the_description_has_every_route_and_nothing_that_is_not_ours(web: WebService) -> None:
    found = description(web.url)
    assert {path: " ".join(operations) for path, operations in found["paths"].items()} == ROUTES
    assert not [name for name in found["components"]["schemas"] if "ValidationError" in name]
    for operations in found["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            for status, response in operation["responses"].items():
                if status >= "400":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/nothing", "/api", "/static/app.js", "/docs", "/api/transactions/a/b"]
)
def test_nothing_there(person: MakePerson, path: str) -> None:
    assert code(person().get(path)) == (404, "not_found")


@pytest.mark.parametrize("path", [path.replace("{transaction_id}", "x") for path in ROUTES])
def test_another_method(person: MakePerson, path: str) -> None:
    answer = person().put(path)
    assert code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", (400, "bad_request")),
        (b"\xff\xfe", (400, "bad_request")),
        (b"", (422, "invalid_request")),
        (b"[]", (422, "invalid_request")),
        (b"null", (422, "invalid_request")),
        (b"{}", (422, "invalid_request")),
        (b"[" * 30_000, (400, "bad_request")),
        (b" " * 65_537, (413, "body_too_large")),
    ],
    ids=["half", "no text", "empty", "list", "null", "no fields", "deep", "large"],
)
def test_bad_bodies(web: WebService, signed_in: Person, path: str, content: bytes, expected: tuple[int, str]) -> None:
    headers = {"Content-Type": "application/json"}
    assert code(signed_in.post(path, content=content, headers=headers)) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(), inner, max_size=5),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(POSTS), body=JSON)
def test_no_json_makes_the_service_fail(signed_in: Person, path: str, body: Any) -> None:
    answer = signed_in.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in (202, 401, 422)


@pytest.mark.parametrize("text", ["%00", "%ff", "%ED%A0%80", "'", '"--', "x" * 5000, "%F0%9F%92%B6"])
def test_no_address_makes_the_service_fail(signed_in: Person, text: str) -> None:
    assert code(signed_in.get(f"/api/transactions/{text}")) == (404, "not_found")
    assert code(signed_in.get(f"/api/transactions?before={text}")) == (404, "not_found")
    assert signed_in.get(f"/api/transactions?limit={text}").status_code == 422


@pytest.mark.parametrize("path", POSTS)
def test_a_large_body_of_unknown_length(signed_in: Person, path: str) -> None:
    answer = signed_in.post(path, content=iter([b" " * 40_000] * 2), headers={"Content-Type": "application/json"})
    assert code(answer) == (413, "body_too_large")


@pytest.mark.parametrize(("method", "path"), [*(("POST", path) for path in POSTS), ("DELETE", "/api/session")])
def test_other_sites_cannot_use_a_session(signed_in: Person, method: str, path: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}):
        assert code(signed_in.request(method, path, headers=headers)) == (403, "cross_site")
    assert signed_in.get("/api/account", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/rates", "/nothing", "/health/live"])
def test_every_answer_has_the_security_headers(person: MakePerson, path: str) -> None:
    headers = person().get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "'unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"]
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_currencies(person: MakePerson) -> None:
    found = {one["code"]: one for one in person().get("/api/currencies").json()}
    assert (found["EUR"]["exponent"], found["JPY"]["exponent"], found["BTC"]["exponent"]) == (2, 0, 8)
    assert found["EUR"]["name"] == "Euro"


@pytest.fixture(scope="module")
def signed_in(web: WebService) -> Person:
    return Person(web.url).with_account()
