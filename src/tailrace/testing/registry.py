"""A schema registry for tests: in this process without Kafka, or the real server in a process of its own."""

import sys
import threading
from typing import TypeVar

from tailrace.registry.client import Registered
from tailrace.registry.compatibility import Level
from tailrace.registry.errors import ErrorCode, IncompatibleSchema, RegistryError, Rejection, SchemaNotFound
from tailrace.registry.store import (
    Register,
    Request,
    SetLevel,
    State,
    asked_about,
    check,
    decide,
    evolve,
    find,
    subject_not_found,
)
from tailrace.testing.port import accepts
from tailrace.testing.server_process import ServerProcess

T = TypeVar("T")


class RegistryProcess(ServerProcess):
    """The registry server on 127.0.0.1, on a topic of the cluster at `bootstrap_servers`."""

    name = "the schema registry"

    def __init__(self, bootstrap_servers: str, port: int = 0, *, topic: str = "_schemas") -> None:
        super().__init__(port=port)
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        pass

    def _argv(self) -> list[str]:
        options = ["--bootstrap-servers", self.bootstrap_servers, "--port", str(self.port), "--topic", self.topic]
        return [sys.executable, "-m", "tailrace.registry", *options]

    def _is_ready(self) -> bool:
        return accepts(self.port)


class LocalRegistry:
    """The registry's rules without topic or HTTP, with the interface of RegistryClient; thread-safe."""

    def __init__(self) -> None:
        self._state = State()
        self._lock = threading.RLock()

    def register(self, subject: str, schema: str) -> int:
        """Give the id of a schema under a subject, registering it if new. Raises IncompatibleSchema."""
        with self._lock:
            self._submit(Register(subject, schema))
            return self.lookup(subject, schema)

    def lookup(self, subject: str, schema: str) -> int:
        """Give the id of a schema registered under a subject. Raises SchemaNotFound."""
        with self._lock:
            found = find(self._state, subject, schema)
        return _unless_rejected(found).id

    def schema(self, schema_id: int) -> str:
        """Give the schema of an id. Raises SchemaNotFound."""
        with self._lock:
            stored = self._state.with_id(schema_id)
        if not stored:
            raise SchemaNotFound(f"Schema {schema_id} not found", ErrorCode.SCHEMA_NOT_FOUND)
        return stored[0].schema

    def latest(self, subject: str) -> Registered:
        """Give the newest version of a subject. Raises SchemaNotFound."""
        with self._lock:
            live = self._state.live(subject)
        stored = _unless_rejected(live[-1] if live else subject_not_found(subject))
        return Registered(stored.id, stored.version, stored.schema)

    def subjects(self) -> list[str]:
        """Name the subjects that have a version."""
        with self._lock:
            return [subject for subject in sorted(self._state.versions) if self._state.live(subject)]

    def check(self, subject: str, schema: str) -> list[str]:
        """Say why the subject's compatibility level forbids a schema; empty when it does not."""
        with self._lock:
            messages = check(self._state, subject, schema, asked_about(self._state, subject))
        return _unless_rejected(messages)

    def set_level(self, subject: str, level: str) -> None:
        """Set the compatibility level of a subject."""
        with self._lock:
            self._submit(SetLevel(subject, Level(level)))

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return at once."""

    def close(self) -> None:
        """Do nothing."""

    def _submit(self, request: Request) -> None:
        for event in _unless_rejected(decide(self._state, request)):
            evolve(self._state, event)


def _unless_rejected(outcome: T | Rejection) -> T:
    if not isinstance(outcome, Rejection):
        return outcome
    kinds = {404: SchemaNotFound, 409: IncompatibleSchema}
    raise kinds.get(outcome.code.status, RegistryError)(outcome.message, outcome.code)
