"""The registry as its clients see it: a protocol, and the client of a registry server.

Speaks HTTP by the standard library: `httpx` costs each service 0.15 s more at its start.
"""

import http.client
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

import msgspec

from tailrace.registry.errors import (
    ErrorCode,
    IncompatibleSchema,
    RegistryError,
    RegistryUnreachable,
    SchemaNotFound,
)

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
FIRST_BACKOFF_S = 0.02
MAX_BACKOFF_S = 0.5


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as one version of a subject."""

    id: int
    version: int
    schema: str


class Registry(Protocol):
    """What serdes and deployments ask of a registry."""

    def register(self, subject: str, schema: str) -> int:
        """Give the id of a schema under a subject, registering it if new. Raises IncompatibleSchema."""

    def lookup(self, subject: str, schema: str) -> int:
        """Give the id of a schema registered under a subject. Raises SchemaNotFound."""

    def schema(self, schema_id: int) -> str:
        """Give the schema of an id. Raises SchemaNotFound."""

    def latest(self, subject: str) -> Registered:
        """Give the newest version of a subject. Raises SchemaNotFound."""

    def subjects(self) -> list[str]:
        """Name the subjects that have a version."""

    def check(self, subject: str, schema: str) -> list[str]:
        """Say why the subject's compatibility level forbids a schema; empty when it does not."""


class RegistryClient:
    """Client of a schema registry at `url`; thread-safe, remembers what cannot change.

    `timeout_s` bounds one request. A registry that does not answer, or answers that it is not ready, is tried again
    for `patience_s`; then RegistryUnreachable is raised.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, patience_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"registry URL {url!r} is no URL; expected one like http://127.0.0.1:8081")
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._headers = {"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + b64encode(credentials.encode()).decode()
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connect(parts.hostname, parts.port, timeout=timeout_s)
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._schema_by_id: dict[int, str] = {}
        self._id_by_schema: dict[tuple[str, str], int] = {}

    def register(self, subject: str, schema: str) -> int:
        """Give the id of a schema under a subject, registering it if new. Raises IncompatibleSchema."""
        return self._identify(subject, schema, f"/subjects/{quote(subject, safe='')}/versions")

    def lookup(self, subject: str, schema: str) -> int:
        """Give the id of a schema registered under a subject. Raises SchemaNotFound."""
        return self._identify(subject, schema, f"/subjects/{quote(subject, safe='')}")

    def schema(self, schema_id: int) -> str:
        """Give the schema of an id. Raises SchemaNotFound."""
        schema = self._schema_by_id.get(schema_id)
        if schema is None:
            schema = str(self._ask("GET", f"/schemas/ids/{schema_id}")["schema"])
            self._schema_by_id[schema_id] = schema
        return schema

    def latest(self, subject: str) -> Registered:
        """Give the newest version of a subject. Raises SchemaNotFound."""
        answer = self._ask("GET", f"/subjects/{quote(subject, safe='')}/versions/latest")
        return Registered(answer["id"], answer["version"], answer["schema"])

    def subjects(self) -> list[str]:
        """Name the subjects that have a version."""
        return list(self._ask("GET", "/subjects"))

    def check(self, subject: str, schema: str) -> list[str]:
        """Say why the subject's compatibility level forbids a schema; empty when it does not."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions?verbose=true"
        answer = self._ask("POST", path, {"schema": schema})
        return [] if answer["is_compatible"] else answer.get("messages") or ["incompatible"]

    def set_level(self, subject: str, level: str) -> None:
        """Set the compatibility level of a subject."""
        self._ask("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": level})

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once the registry answers. Raises RegistryUnreachable."""
        self._ask("GET", "/", patience_s=timeout_s)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with self._lock:
            self._connection.close()

    def _identify(self, subject: str, schema: str, path: str) -> int:
        known = self._id_by_schema.get((subject, schema))
        if known is None:
            known = int(self._ask("POST", path, {"schema": schema})["id"])
            self._id_by_schema[subject, schema] = known
        return known

    def _ask(self, method: str, path: str, body: object = None, patience_s: float | None = None) -> Any:
        """Send a request until it is answered, and give the answer's JSON."""
        patience_s = self._patience_s if patience_s is None else patience_s
        deadline = time.monotonic() + patience_s
        backoff_s = FIRST_BACKOFF_S
        content = None if body is None else msgspec.json.encode(body)
        while True:
            try:
                status, answer = self._request(method, path, content)
                if status < 500:
                    break
                problem = f"HTTP {status}: {answer[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
            if time.monotonic() + backoff_s > deadline:
                raise RegistryUnreachable(
                    f"the schema registry at {self.url} gave no answer within {patience_s:g} s ({problem}); "
                    "is it running, and is the address right?"
                )
            time.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        return _content(self.url + path, status, answer)

    def _request(self, method: str, path: str, content: bytes | None) -> tuple[int, bytes]:
        with self._lock:
            try:
                self._connection.request(method, self._path + path, content, self._headers)
                response = self._connection.getresponse()
                return response.status, response.read()
            except BaseException:
                self._connection.close()
                raise


def _content(url: str, status: int, answer: bytes) -> Any:
    try:
        content = msgspec.json.decode(answer)
    except msgspec.DecodeError as error:
        raise RegistryError(f"{url} answered HTTP {status} with {answer[:100]!r}; expected JSON") from error
    if status < 400:
        return content
    code, message = content.get("error_code", status), f"{url}: {content.get('message', answer)}"
    if status == 404:
        raise SchemaNotFound(message, code)
    if status == ErrorCode.INCOMPATIBLE_SCHEMA.status:
        raise IncompatibleSchema(message, code)
    raise RegistryError(message, code)
