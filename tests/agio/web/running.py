"""The web service in a thread of the test, and people who use it."""

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from agio.settings import Settings
from agio.web import service
from agio.web.view.queries import Queries
from tailrace.testing.port import free_port
from tests.agio.web.conversation import check

PASSWORD = "correct horse battery"
_addresses = itertools.count(1)


def eventually(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Wait until a condition is true, and give its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{condition} did not become true within {timeout_s} s"
        time.sleep(0.01)
    return value


class WebService:
    """`agio.web.service.run` in a thread; between entry and exit it is ready."""

    def __init__(self, bootstrap_servers: str, schema_registry: str, data: Path, instance: int = 1) -> None:
        self.settings = Settings(bootstrap_servers, schema_registry, data, instance, port=free_port())
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Start without waiting."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        eventually(self.lives)
        return self

    def stop(self) -> float:
        """Stop, and tell how many seconds it took."""
        assert self._thread is not None
        began = time.monotonic()
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    def view(self) -> Queries:
        """Look at the read model directly."""
        return Queries(self.settings.data / f"web-{self.settings.instance}" / "view.db")

    def lives(self) -> bool:
        assert self.failure is None, self.failure
        try:
            return httpx.get(f"{self.url}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self) -> Self:
        eventually(lambda: httpx.get(f"{self.url}/health/ready").status_code == 200, 30)
        return self

    def __enter__(self) -> Self:
        return self.start().wait_ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            service.run(self.settings, self._stop)
        except BaseException as failure:
            self.failure = failure


class Person(httpx.Client):
    """Somebody with a browser of their own; each has another address, so that limits count them apart."""

    def __init__(self, url: str) -> None:
        number = next(_addresses)
        headers = {"X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        super().__init__(base_url=url, headers=headers, timeout=40, event_hooks={"response": [check]})
        self.username = f"user-{secrets.token_hex(6)}"

    def sign_up(self, home_currency: str = "EUR", **changes: Any) -> httpx.Response:
        body = {"username": self.username, "password": PASSWORD, "name": "Ada L.", "home_currency": home_currency}
        return self.post("/api/accounts", json=body | changes)

    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        return self.post("/api/session", json={"username": self.username, "password": password})

    def with_account(self, home_currency: str = "EUR") -> Self:
        """Sign up and wait until the account is active."""
        assert self.sign_up(home_currency).status_code == 201
        eventually(lambda: self.get("/api/account").json()["status"] == "active")
        return self

    def submit(self, kind: str, key: str | None = None, **body: str) -> httpx.Response:
        return self.post(f"/api/{kind}", json=body, headers={"Idempotency-Key": key} if key else {})

    def outcome(self, kind: str, key: str | None = None, **body: str) -> dict[str, Any]:
        """Submit a wish and wait for what becomes of it."""
        accepted = self.submit(kind, key, **body)
        assert accepted.status_code == 202, accepted.text
        return self.transaction(accepted.json()["transaction_id"], wait=20)

    @contextmanager
    def events(self) -> Iterator["Events"]:
        """Follow the live events."""
        with self.stream("GET", "/api/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            yield Events(response)

    def transaction(self, transaction_id: str, wait: float = 0) -> dict[str, Any]:
        found = self.get(f"/api/transactions/{transaction_id}", params={"wait": wait})
        assert found.status_code == 200, found.text
        content: dict[str, Any] = found.json()
        return content


class Events:
    """The events of a stream, as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self._passed: list[tuple[str, Any]] = []

    def rest(self) -> list[tuple[str, Any]]:
        """Read to the end of the stream."""
        return list(self._read())

    def until(self, name: str, condition: Callable[[Any], bool] = lambda data: True) -> Any:
        """Read on to an event of a name whose data fulfil a condition; others can still be asked for."""
        for place, (found, data) in enumerate(self._passed):
            if found == name and condition(data):
                del self._passed[place]
                return data
        for found, data in self._read():
            if found == name and condition(data):
                return data
            self._passed.append((found, data))
        raise AssertionError(f"the stream ended without the {name}")

    def _read(self) -> Iterator[tuple[str, Any]]:
        name = ""
        for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)
