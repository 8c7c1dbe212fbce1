"""PostgreSQL as tests start it: it serves, and survives what a crash does to it."""

import os
from collections.abc import Callable, Iterator

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tailrace.testing.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def execute(url: str, statement: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        engine.dispose()


def test_it_keeps_what_was_committed_when_killed(server: PostgresServer) -> None:
    execute(server.url, "CREATE TABLE accounts AS SELECT 7 AS id")
    server.kill()
    with pytest.raises(OperationalError):
        execute(server.url, "SELECT id FROM accounts")
    server.restart()
    assert execute(server.url, "SELECT id FROM accounts") == [7]


def test_databases_are_apart(server: PostgresServer, unique: Callable[[str], str]) -> None:
    first, second = server.create_database(unique("first")), server.create_database(unique("second"))
    execute(first, "CREATE TABLE only_here (id int)")
    statement = "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'"
    assert (execute(first, statement), execute(second, statement)) == ([1], [0])


def test_it_asks_for_the_password(server: PostgresServer) -> None:
    user, rest = server.url.split("@")
    scheme, _, _ = user.rpartition(":")
    with pytest.raises(OperationalError, match="password authentication failed"):
        execute(f"{scheme}:wrong@{rest}", "SELECT 1")


def test_it_listens_on_loopback_only(server: PostgresServer) -> None:
    connections = psutil.Process(server.pid).net_connections("all")
    addresses = [connection.laddr for connection in connections if connection.status == "LISTEN"]
    assert addresses == [("127.0.0.1", server.port)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_it_does_not_run_as_root(server: PostgresServer) -> None:
    assert psutil.Process(server.pid).uids().effective != 0


def test_nothing_is_left(server: PostgresServer) -> None:
    with PostgresServer() as other:
        assert execute(other.url, "SELECT 1") == [1]
    assert not other.data_dir.exists()
