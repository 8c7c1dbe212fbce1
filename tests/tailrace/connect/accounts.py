"""The account database that the connectors' tests read and write, and a worker in this process."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import sqlalchemy as sa

from tailrace.connect.worker import Worker

REPOSITORY = Path(__file__).parents[3]

REQUESTS = """{"type": "record", "name": "AccountRequest", "fields": [
    {"name": "account_id", "type": "string"},
    {"name": "username", "type": "string"},
    {"name": "name", "type": ["null", "string"], "default": null},
    {"name": "requested_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"""

SQLITE_ACCOUNTS = """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT UNIQUE NOT NULL,
    username TEXT UNIQUE,
    name TEXT,
    status TEXT NOT NULL DEFAULT 'active',
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')));
CREATE TRIGGER accounts_updated AFTER UPDATE ON accounts BEGIN
    UPDATE accounts SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END;
"""
POSTGRESQL_ACCOUNTS = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE TABLE accounts (
    id bigserial PRIMARY KEY,
    account_id text UNIQUE NOT NULL,
    username text UNIQUE,
    name text,
    status text NOT NULL DEFAULT 'active',
    updated_at timestamptz NOT NULL DEFAULT now());
CREATE FUNCTION touch() RETURNS trigger AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END' LANGUAGE plpgsql;
CREATE TRIGGER accounts_updated BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION touch();
"""


class AccountDatabase:
    """A database with the legacy table `accounts`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url)
        if self.engine.dialect.name == "sqlite":
            connection = self.engine.raw_connection()
            connection.executescript(SQLITE_ACCOUNTS)
            connection.commit()
            connection.close()
        else:
            self.execute(POSTGRESQL_ACCOUNTS)

    def execute(self, sql: str, **parameters: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), parameters)

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]


@contextmanager
def running(
    broker: Any, registry: Any, *connectors: Mapping[str, str], offsets: str = "connect-offsets"
) -> Iterator[Worker]:
    """A worker in a thread of this process, stopped at the end."""
    worker = Worker(broker.bootstrap_servers, registry, connectors, offset_storage_topic=offsets)
    stop = Event()
    worker.start(stop)
    try:
        yield worker
    finally:
        stop.set()
        worker.join()


def eventually(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Wait for a condition and give its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {value!r}"
        time.sleep(0.02)
    return value


def run_until_killed(point: str, broker: Any, config: Mapping[str, str]) -> None:
    """Run a worker in a process of its own that kills itself at the point."""
    command = [sys.executable, "-m", "tests.tailrace.connect.crashing_worker"]
    ended = subprocess.run(
        [*command, point, broker.bootstrap_servers, json.dumps(config)], cwd=REPOSITORY, timeout=100, check=False
    )
    assert ended.returncode == -signal.SIGKILL
