"""The database of a connector: its address, its tables' columns, and what its errors mean."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchTableError, OperationalError, StatementError

from tailrace.connect.config import Key, text, text_or_empty
from tailrace.connect.errors import ConfigError, ConnectError, DataError, RetriableError, SystemUnreachable

# A server that went silent is noticed within 20 s; without these, a query could wait for hours.
CONNECT_ARGS: dict[str, dict[str, int]] = {
    "sqlite": {"timeout": 5},
    "postgresql": {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    },
}
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}

KEYS = (
    Key("connection.url", "Where the database is: an SQLAlchemy or JDBC URL.", text),
    Key("connection.user", "User, when the URL has none.", text, None),
    Key("connection.password", "Password, when the URL has none.", text_or_empty, None),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the database describes it."""

    name: str
    type: Any
    nullable: bool


class Database:
    """A pool of connections to one database. Connecting is left to the first use."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.url = database_url(
            settings["connection.url"], settings["connection.user"], settings["connection.password"]
        )
        self.dialect = self.url.get_backend_name()
        self.engine: Engine = sa.create_engine(self.url, connect_args=CONNECT_ARGS[self.dialect])
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def quote(self, name: str) -> str:
        """Quote a name, a table's possibly `schema.table`, for use in `sa.text`; both databases quote as SQL does."""
        parts = ('"' + part.replace('"', '""') + '"' for part in name.split("."))
        return ".".join(parts).replace(":", r"\:")

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[sa.Row[Any]]:
        """Read rows, outside of any transaction; values are as the driver gives them."""
        with self.errors(), self._reading.connect() as connection:
            return connection.execute(sa.text(sql), parameters).all()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Begin a transaction and commit it at the end, or roll it back on an exception."""
        with self.errors(), self.engine.begin() as connection:
            yield connection

    def columns(self, table: str) -> list[Column]:
        """Describe the columns of a table. Raises ConnectError when there is no such table."""
        schema, _, name = table.rpartition(".")
        with self.errors():
            inspector = sa.inspect(self.engine)
            try:
                found = inspector.get_columns(name, schema or None)
            except NoSuchTableError:
                raise ConnectError(f"{self} has no table {table}; create it, or correct the name") from None
            keys = inspector.get_pk_constraint(name, schema or None)["constrained_columns"]
        return [Column(c["name"], c["type"], c["nullable"] and c["name"] not in keys) for c in found]

    def has_table(self, table: str) -> bool:
        """Tell whether there is such a table."""
        schema, _, name = table.rpartition(".")
        with self.errors():
            return sa.inspect(self.engine).has_table(name, schema or None)

    def check(self) -> None:
        """Connect once. Raises SystemUnreachable."""
        with self.errors(), self.engine.connect():
            pass

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the database's errors into ours: DataError, RetriableError, or ConnectError when neither fits."""
        try:
            yield
        except StatementError as error:
            raise self._meaning(error) from error
        except (OverflowError, UnicodeEncodeError) as error:  # values that a driver cannot even send
            raise DataError(f"{type(error).__name__}: {error}") from error

    def _meaning(self, error: StatementError) -> ConnectError:
        message = _first_line(error.orig or error)
        if not isinstance(error, DBAPIError):
            return DataError(message)
        if isinstance(error.orig, sqlite3.Error):
            kind = _sqlite_kind(error.orig)
        else:
            kind = _postgresql_kind(error)
        return kind(f"{self}: {message}" if kind is not DataError else message)


def database_url(url: str, user: str | None = None, password: str | None = None) -> URL:
    """Give the SQLAlchemy URL for an SQLAlchemy or JDBC URL. Raises ConfigError."""
    plain = url.removeprefix("jdbc:")
    if url.startswith("jdbc:sqlite:"):
        plain = "sqlite:///" + plain.removeprefix("sqlite:")
    try:
        made = make_url(plain)
        driver = DRIVERS[made.get_backend_name()]
    except (ArgumentError, KeyError):
        raise ConfigError(
            f"connection.url={url!r} is not allowed, expected sqlite:///FILE, postgresql://HOST/DATABASE"
            " or the same as a JDBC URL"
        ) from None
    made = made.set(drivername=driver)
    if url.startswith("jdbc:"):
        query = dict(made.query)
        user = user or _one(query.pop("user", None))
        password = password or _one(query.pop("password", None))
        made = made.set(query=query)
    return made.set(username=made.username or user, password=made.password or password)


def _one(value: str | Sequence[str] | None) -> str | None:
    return value if value is None or isinstance(value, str) else value[0]


def _sqlite_kind(error: sqlite3.Error) -> type[ConnectError]:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG")):
        return DataError
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_NOTADB")):
        return SystemUnreachable
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return RetriableError
    return DataError if isinstance(error, sqlite3.InterfaceError | sqlite3.DataError) else ConnectError


def _postgresql_kind(error: DBAPIError) -> type[ConnectError]:
    """Sort by SQLSTATE; its first two characters are the class."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(("22", "23", "44", "P0")):
        return DataError
    if state.startswith(("40", "55")):
        return RetriableError
    if state.startswith(("08", "53", "57", "58")) or state == "25006":
        return SystemUnreachable
    if error.connection_invalidated or (not state and isinstance(error, OperationalError)):
        return SystemUnreachable
    return DataError if type(error.orig).__name__ in ("DataError", "ProgrammingError") and not state else ConnectError


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
