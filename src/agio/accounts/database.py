"""The legacy account database, as if it had always been there: one table that keeps its own numbers and times."""

from pathlib import Path

SQLITE = """
CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    home_currency TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active',
    requested_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE INDEX IF NOT EXISTS accounts_updated_at ON accounts (updated_at, id);
CREATE TRIGGER IF NOT EXISTS accounts_updated AFTER UPDATE ON accounts
BEGIN
    UPDATE accounts SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END
"""

POSTGRESQL = """
CREATE TABLE IF NOT EXISTS accounts (
    id BIGSERIAL PRIMARY KEY,
    account_id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    home_currency TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active',
    requested_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX IF NOT EXISTS accounts_updated_at ON accounts (updated_at, id);
CREATE OR REPLACE FUNCTION accounts_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = date_trunc('milliseconds', clock_timestamp());
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER accounts_updated BEFORE UPDATE ON accounts
FOR EACH ROW EXECUTE FUNCTION accounts_updated()
"""


def default_url(data: Path) -> str:
    """The SQLite file that is used when no database is given."""
    return f"sqlite:///{data / 'accounts.db'}"


def create(url: str) -> None:
    """Create the table where it is missing. Raises sqlalchemy's OperationalError when the database is unreachable."""
    from sqlalchemy import create_engine

    engine = create_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            connection = engine.raw_connection()
            connection.executescript("PRAGMA journal_mode = WAL;" + SQLITE)
            connection.close()
        elif engine.dialect.name == "postgresql":
            with engine.begin() as connection_:
                connection_.exec_driver_sql(POSTGRESQL)
        else:
            raise ValueError(f"the account database is SQLite or PostgreSQL, not {engine.dialect.name}")
    finally:
        engine.dispose()
