"""Holds every answer against the API's own description: a documented status, and the one shape of errors."""

import re
from functools import cache
from typing import Any

import httpx


@cache
def description(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/openapi.json").json()
    return found


def check(response: httpx.Response) -> None:
    """Fail if an answer is not as /openapi.json says."""
    if response.status_code >= 400:
        response.read()
        error = response.json()["error"]
        assert set(error) == {"code", "message"}, error
        assert re.fullmatch(r"[a-z_]+", error["code"]), error
        assert error["message"], error
    operation = _operation(response)
    if operation is None:
        assert response.status_code in {200, 403, 404, 405, 413}, response
        return
    documented = operation["responses"].get(str(response.status_code))
    assert documented is not None, f"{response} is not described"
    if response.status_code >= 400:
        assert f"`{response.json()['error']['code']}`" in documented["description"], f"{response.text} is not described"


def _operation(response: httpx.Response) -> dict[str, Any] | None:
    request = response.request
    paths = description(str(request.url.join("/")).rstrip("/"))["paths"]
    for template, operations in paths.items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, request.url.path) and request.method.lower() in operations:
            found: dict[str, Any] = operations[request.method.lower()]
            return found
    return None
