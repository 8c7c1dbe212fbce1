"""The HTTP API, by a plain HTTP client."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


def record(name: str, *fields: str, default: bool = True) -> str:
    """A record of strings whose fields after the first have defaults."""
    made: list[dict[str, Any]] = [{"name": field, "type": "string"} for field in fields]
    for added in made[1:]:
        if default:
            added["default"] = ""
    return json.dumps({"type": "record", "name": name, "fields": made})


def register(http: httpx.Client, subject: str, schema: str) -> int:
    answer = http.post(f"/subjects/{subject}/versions", json={"schema": schema})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def error(answer: httpx.Response) -> tuple[int, int]:
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert set(answer.json()) == {"error_code", "message"}
    return answer.status_code, answer.json()["error_code"]


@pytest.fixture
def schema(subject: str) -> str:
    """A schema that nobody registered before."""
    return record("R" + subject.replace("-", "_"), "a")


def test_root_is_an_empty_object(http: httpx.Client) -> None:
    answer = http.get("/")
    assert (answer.json(), answer.headers["content-type"]) == ({}, CONTENT_TYPE)


def test_registered_schema_is_found_everywhere(http: httpx.Client, subject: str, schema: str) -> None:
    schema_id = register(http, subject, schema)
    version = {"subject": subject, "version": 1, "id": schema_id}
    text = json.loads(schema)
    for path in f"/subjects/{subject}/versions/1", f"/subjects/{subject}/versions/latest":
        found = http.get(path).json()
        assert json.loads(found.pop("schema")) == text
        assert found == version
    assert http.get(f"/subjects/{subject}/versions/1/schema").json() == text
    assert json.loads(http.get(f"/schemas/ids/{schema_id}").json()["schema"]) == text
    assert http.get(f"/schemas/ids/{schema_id}/schema").json() == text
    assert http.get(f"/schemas/ids/{schema_id}/subjects").json() == [subject]
    assert http.get(f"/schemas/ids/{schema_id}/versions").json() == [{"subject": subject, "version": 1}]
    assert http.get(f"/subjects/{subject}/versions").json() == [1]
    assert http.get("/subjects", params={"subjectPrefix": subject}).json() == [subject]
    assert [one["id"] for one in http.get("/schemas", params={"subjectPrefix": subject}).json()] == [schema_id]
    found = http.post(f"/subjects/{subject}", json={"schema": schema}).json()
    assert (found["id"], found["version"]) == (schema_id, 1)


def test_same_schema_has_one_id(http: httpx.Client, subject: str, schema: str) -> None:
    schema_id = register(http, subject, schema)
    assert register(http, subject, json.dumps(json.loads(schema), indent=4)) == schema_id
    assert register(http, f"{subject}-2", schema) == schema_id
    assert http.get(f"/subjects/{subject}/versions").json() == [1]


def test_concurrent_registrations_give_one_id(
    http: httpx.Client, subject: str, schema: str, unique: Callable[[str], str]
) -> None:
    others = [record(unique("T").replace("-", "_"), "a") for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        ids = list(pool.map(lambda i: register(http, f"{subject}-{i}", [schema, *others][i % 5]), range(40)))
    assert len(set(ids)) == 5
    assert all(ids[i] == ids[i % 5] for i in range(40))


def test_incompatible_schema_is_refused(http: httpx.Client, subject: str, schema: str) -> None:
    register(http, subject, schema)
    name = json.loads(schema)["name"]
    answer = http.post(f"/subjects/{subject}/versions", json={"schema": record(name, "a", "b", default=False)})
    assert error(answer) == (409, 40901)
    assert f'incompatible with an earlier schema for subject "{subject}"' in answer.json()["message"]
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in answer.json()["message"]
    assert http.get(f"/subjects/{subject}/versions").json() == [1]


def test_compatibility_is_asked_without_registering(http: httpx.Client, subject: str, schema: str) -> None:
    name = json.loads(schema)["name"]
    good, bad = record(name, "a", "b"), record(name, "a", "b", default=False)
    path = f"/compatibility/subjects/{subject}/versions"
    assert http.post(path, json={"schema": bad}).json() == {"is_compatible": True}
    register(http, subject, schema)
    assert http.post(path, json={"schema": good}).json() == {"is_compatible": True}
    assert http.post(f"{path}/latest", json={"schema": bad}).json() == {"is_compatible": False}
    verdict = http.post(f"{path}/1?verbose=true", json={"schema": bad}).json()
    assert verdict["is_compatible"] is False
    assert "'b'" in verdict["messages"][0]
    assert http.post(f"{path}?verbose=true", json={"schema": good}).json() == {"is_compatible": True, "messages": []}
    assert http.get(f"/subjects/{subject}/versions").json() == [1]


def test_level_of_a_subject(http: httpx.Client, subject: str, schema: str) -> None:
    path = f"/config/{subject}"
    assert error(http.get(path)) == (404, 40408)
    assert http.get(path, params={"defaultToGlobal": "true"}).json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put(path, json={"compatibility": "NONE"}).json() == {"compatibility": "NONE"}
    assert http.get(path).json() == {"compatibilityLevel": "NONE"}
    register(http, subject, schema)
    register(http, subject, '"string"')
    assert http.delete(path).json() == {"compatibilityLevel": "NONE"}
    assert error(http.delete(path)) == (404, 40408)


def test_global_level(http: httpx.Client, subject: str) -> None:
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
    assert http.put("/config", json={"compatibility": "FULL"}).json() == {"compatibility": "FULL"}
    try:
        assert http.get("/config").json() == {"compatibilityLevel": "FULL"}
        inherited = http.get(f"/config/{subject}", params={"defaultToGlobal": "true"}).json()
        assert inherited == {"compatibilityLevel": "FULL"}
    finally:
        assert http.delete("/config").json() == {"compatibilityLevel": "FULL"}
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD"}


def test_deletion_is_soft_then_permanent(http: httpx.Client, subject: str, schema: str) -> None:
    schema_id = register(http, subject, schema)
    path = f"/subjects/{subject}"
    assert error(http.delete(f"{path}?permanent=true")) == (404, 40405)
    assert http.delete(path).json() == [1]
    assert error(http.delete(path)) == (404, 40404)
    assert error(http.get(f"{path}/versions")) == (404, 40401)
    assert http.get(f"{path}/versions?deleted=true").json() == [1]
    assert subject not in http.get("/subjects").json()
    assert subject in http.get("/subjects?deleted=true").json()
    assert subject in http.get("/subjects?deletedOnly=true").json()
    assert http.get(f"/schemas/ids/{schema_id}").status_code == 200
    assert http.delete(f"{path}?permanent=true").json() == [1]
    assert error(http.get(f"/schemas/ids/{schema_id}")) == (404, 40403)
    assert subject not in http.get("/subjects?deleted=true").json()


def test_one_version_is_deleted(http: httpx.Client, subject: str, schema: str) -> None:
    register(http, subject, schema)
    register(http, subject, record(json.loads(schema)["name"], "a", "b"))
    path = f"/subjects/{subject}/versions"
    assert error(http.delete(f"{path}/1?permanent=true")) == (404, 40407)
    assert http.delete(f"{path}/1").json() == 1
    assert error(http.delete(f"{path}/1")) == (404, 40406)
    assert http.get(path).json() == [2]
    assert error(http.get(f"{path}/1")) == (404, 40402)
    assert http.get(f"{path}/1?deleted=true").json()["version"] == 1
    assert http.delete(f"{path}/1?permanent=true").json() == 1
    assert http.get(f"{path}?deleted=true").json() == [2]


def test_mode_is_always_read_and_write(http: httpx.Client, subject: str) -> None:
    assert http.get("/mode").json() == {"mode": "READWRITE"}
    assert error(http.get(f"/mode/{subject}")) == (404, 40409)
    assert http.get(f"/mode/{subject}?defaultToGlobal=true").json() == {"mode": "READWRITE"}


def test_only_avro_is_registered(http: httpx.Client, subject: str) -> None:
    assert http.get("/schemas/types").json() == ["AVRO"]
    body: dict[str, Any] = {"schema": "{}", "schemaType": "JSON"}
    assert error(http.post(f"/subjects/{subject}/versions", json=body)) == (422, 42201)
    body = {"schema": '"int"', "references": [{"name": "a", "subject": "b", "version": 1}]}
    assert error(http.post(f"/subjects/{subject}/versions", json=body)) == (422, 42201)


@pytest.mark.parametrize("name", ["a/b", "a b", "ä", "a%b", "a?b", "."])
def test_subject_may_have_any_name(http: httpx.Client, subject: str, name: str) -> None:
    """A single dot is no name in a path, so that it only comes with others."""
    name = f"{subject} {name}"
    register(http, quote(name, safe=""), '"string"')
    assert name in http.get("/subjects").json()
    assert http.get(f"/subjects/{quote(name, safe='')}/versions/1").json()["subject"] == name


ERRORS: dict[str, tuple[str, str, Any, tuple[int, int]]] = {
    "unknown subject": ("GET", "/subjects/none/versions", None, (404, 40401)),
    "version of an unknown subject": ("GET", "/subjects/none/versions/1", None, (404, 40401)),
    "version of nothing": ("GET", "/subjects/none/versions/0", None, (422, 42202)),
    "version in words": ("GET", "/subjects/none/versions/first", None, (422, 42202)),
    "unknown id": ("GET", "/schemas/ids/999999", None, (404, 40403)),
    "id in words": ("GET", "/schemas/ids/first", None, (404, 40403)),
    "look-up in an unknown subject": ("POST", "/subjects/none", {"schema": '"int"'}, (404, 40401)),
    "invalid schema": ("POST", "/subjects/none/versions", {"schema": "{"}, (422, 42201)),
    "no schema": ("POST", "/subjects/none/versions", {}, (400, 400)),
    "body of another type": ("POST", "/subjects/none/versions", [1], (400, 400)),
    "unknown level": ("PUT", "/config", {"compatibility": "PERHAPS"}, (422, 42203)),
    "no level": ("PUT", "/config", {}, (422, 42203)),
    "check against an unknown version": (
        "POST",
        "/compatibility/subjects/none/versions/1",
        {"schema": '"int"'},
        (404, 40401),
    ),
    "deletion of an unknown subject": ("DELETE", "/subjects/none", None, (404, 40401)),
    "unknown path": ("GET", "/nowhere", None, (404, 404)),
    "wrong method": ("PATCH", "/subjects", None, (405, 405)),
}


@pytest.mark.parametrize(("method", "path", "body", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_have_confluents_codes(
    http: httpx.Client, method: str, path: str, body: Any, expected: tuple[int, int]
) -> None:
    assert error(http.request(method, path, json=body)) == expected
