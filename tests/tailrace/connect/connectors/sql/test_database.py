"""Addresses of databases, and what their errors mean."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tailrace.connect.connectors.sql.database import Database, database_url
from tailrace.connect.errors import ConfigError, ConnectError, DataError, RetriableError, SystemUnreachable
from tailrace.testing.port import free_port
from tests.tailrace.connect.accounts import AccountDatabase


def open_database(url: str) -> Database:
    return Database({"connection.url": url, "connection.user": None, "connection.password": None})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/a.db", "sqlite:///data/a.db"),
        ("sqlite:////data/a.db", "sqlite:////data/a.db"),
        ("jdbc:sqlite:a.db", "sqlite:///a.db"),
        ("jdbc:sqlite:/data/a.db", "sqlite:////data/a.db"),
        ("postgresql://h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://x:y@h:5433/d", "postgresql+psycopg://x:y@h:5433/d"),
        ("jdbc:postgresql://h:5433/d", "postgresql+psycopg://u:p@h:5433/d"),
        ("jdbc:postgresql://h/d?user=a&password=b&sslmode=require", "postgresql+psycopg://a:b@h/d?sslmode=require"),
    ],
)
def test_a_jdbc_or_sqlalchemy_url(url: str, expected: str) -> None:
    user = () if "sqlite" in url or "user=" in url else ("u", "p")
    assert database_url(url, *user).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize("url", ["", "mysql://h/d", "jdbc:oracle:thin:@h", "h/d"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"connection\.url=.* is not allowed, expected sqlite:///FILE"):
        database_url(url)


def test_the_password_is_never_shown() -> None:
    assert str(open_database("postgresql://u:secret@h/d")) == "postgresql+psycopg://u:***@h/d"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("INSERT INTO accounts (account_id) VALUES ('a1')", DataError),
        ("INSERT INTO accounts (account_id) VALUES (NULL)", DataError),
        ("INSERT INTO nowhere (x) VALUES (1)", ConnectError),
        ("INSERT INTO accounts (nothing) VALUES (1)", ConnectError),
        ("nonsense", ConnectError),
    ],
)
def test_an_error_says_whose_fault_it_is(database: AccountDatabase, sql: str, kind: type[Exception]) -> None:
    database.execute("INSERT INTO accounts (account_id) VALUES ('a1')")
    made = open_database(database.url)
    with pytest.raises(ConnectError) as error, made.transaction() as connection:
        connection.execute(sa.text(sql))
    assert type(error.value) is kind
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_a_value_that_cannot_be_sent_is_the_records_fault(database: AccountDatabase, value: Any) -> None:
    with pytest.raises(DataError), open_database(database.url).transaction() as connection:
        connection.execute(sa.text("INSERT INTO accounts (id, account_id) VALUES (:v, :v)"), {"v": value})


def test_a_locked_database_is_tried_again(database: AccountDatabase) -> None:
    """A writer that holds its lock for too long, and, in PostgreSQL, a deadlock's or lock's timeout."""
    sqlite = database.engine.dialect.name == "sqlite"
    made = open_database(database.url)
    database.execute("INSERT INTO accounts (account_id) VALUES ('a1')")
    with database.engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "LOCK accounts")
        with made.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1" if sqlite else "SET lock_timeout = 1")
        with pytest.raises(RetriableError) as error, made.transaction() as connection:
            connection.exec_driver_sql("UPDATE accounts SET name = 'x'")
    assert type(error.value) is RetriableError


def test_a_missing_server_is_told_in_one_line() -> None:
    port = free_port()
    with pytest.raises(SystemUnreachable) as error:
        open_database(f"postgresql://u:secret@127.0.0.1:{port}/d").check()
    assert str(error.value).startswith(f"postgresql+psycopg://u:***@127.0.0.1:{port}/d: ")
    assert "\n" not in str(error.value)


def test_a_missing_directory_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemUnreachable, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}/missing/a.db").check()


def test_columns_are_described(database: AccountDatabase) -> None:
    columns = {column.name: column for column in open_database(database.url).columns("accounts")}
    assert list(columns) == ["id", "account_id", "username", "name", "status", "updated_at"]
    assert [name for name, column in columns.items() if column.nullable] == ["username", "name"]
    with pytest.raises(ConnectError, match="has no table nowhere; create it"):
        open_database(database.url).columns("nowhere")
