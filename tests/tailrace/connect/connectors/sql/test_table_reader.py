"""Real tables, read from position to position."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.connect.connectors.sql.database import Database
from tailrace.connect.connectors.sql.table_reader import TableReader
from tailrace.connect.errors import ConnectError
from tailrace.connect.framework import read_config
from tests.tailrace.connect.accounts import AccountDatabase, eventually

START = datetime(2026, 1, 1, tzinfo=UTC)
MODES = {
    "timestamp+incrementing": {"timestamp.column.name": "updated_at", "incrementing.column.name": "id"},
    "timestamp": {"timestamp.column.name": "updated_at"},
    "incrementing": {"incrementing.column.name": "id"},
}


def reader(database: AccountDatabase, mode: str, offset: Any = None, **changes: str) -> TableReader:
    config = {
        "name": "s",
        "connector.class": "SqlSource",
        "connection.url": database.url,
        "table.whitelist": "accounts",
        "mode": mode,
        "batch.max.rows": "3",
    }
    parsed = read_config(config | MODES.get(mode, {}) | {k.replace("_", "."): v for k, v in changes.items()}).settings
    return TableReader(Database(parsed), "accounts", parsed, offset)


def read_all(table: TableReader) -> list[str]:
    found = []
    while (rows := table.read()).rows:
        found += [row["account_id"] for row in rows.rows]
        table.advance(rows)
    return found


def insert_at(database: AccountDatabase, *seconds: int) -> list[str]:
    """Insert a row for each time after the start, and give their ids in the order of time, then of insertion."""
    for number, second in enumerate(seconds):
        at: Any = START + timedelta(seconds=second)
        if database.engine.dialect.name == "sqlite":
            at = at.strftime("%Y-%m-%d %H:%M:%S.000")
        database.execute("INSERT INTO accounts (account_id, updated_at) VALUES (:a, :t)", a=f"a{number}", t=at)
    return [f"a{number}" for _, number in sorted((second, number) for number, second in enumerate(seconds))]


@pytest.mark.parametrize("seconds", [[], [1], [1, 2, 3], [5, 5, 5, 5, 5, 5, 5], [9, 2, 2, 2, 7, 7, 1, 7, 7, 2]])
@pytest.mark.parametrize("mode", ["timestamp+incrementing", "timestamp"])
def test_every_row_is_read_once_in_the_order_of_time(database: AccountDatabase, mode: str, seconds: list[int]) -> None:
    """Also where batches end amid equal timestamps."""
    expected = insert_at(database, *seconds)
    assert read_all(reader(database, mode)) == expected


@pytest.mark.parametrize("mode", list(MODES))
def test_reading_goes_on_at_the_offset_of_any_batch(database: AccountDatabase, mode: str) -> None:
    expected = insert_at(database, 1, 2, 2, 2, 2, 3, 3, 4)
    table, found, offset = reader(database, mode), [], None
    while (rows := table.read()).rows:
        found += [row["account_id"] for row in rows.rows]
        ((partition, offset),) = table.advance(rows)
        assert partition == {"protocol": "1", "table": "accounts"}
        table = reader(database, mode, offset)
    assert found == expected


def test_a_changed_row_is_read_again(database: AccountDatabase) -> None:
    insert_at(database, 1, 2, 3)
    table = reader(database, "timestamp+incrementing")
    assert read_all(table) == ["a0", "a1", "a2"]
    database.execute("UPDATE accounts SET name = 'x' WHERE account_id = 'a1'")
    assert eventually(lambda: read_all(table)) == ["a1"]
    assert read_all(table) == []


def test_a_batch_that_was_not_advanced_over_is_read_again(database: AccountDatabase) -> None:
    insert_at(database, 1, 2, 3, 4)
    table = reader(database, "timestamp+incrementing")
    assert table.read() == table.read()


def test_young_rows_wait_for_the_delay(database: AccountDatabase) -> None:
    database.execute("INSERT INTO accounts (account_id) VALUES ('young')")
    assert read_all(reader(database, "timestamp+incrementing", timestamp_delay_interval_ms="60000")) == []
    late = reader(database, "timestamp+incrementing", timestamp_delay_interval_ms="1")
    assert eventually(lambda: read_all(late)) == ["young"]


def test_bulk_reads_everything_every_time(database: AccountDatabase) -> None:
    insert_at(database, 1, 2, 3, 4, 5)
    table = reader(database, "bulk")
    for _ in range(2):
        rows = table.read()
        assert (len(rows.rows), rows.more, table.advance(rows)) == (5, False, [])


def test_timestamps_are_datetimes_in_the_record(database: AccountDatabase) -> None:
    insert_at(database, 1)
    table = reader(database, "timestamp+incrementing", topic_prefix="db-")
    (record,) = table.records(table.read())
    assert record.value["updated_at"] == START + timedelta(seconds=1)
    assert (record.topic, record.key) == ("db-accounts", None)
    types = {field["name"]: field["type"] for field in (record.schema or {})["fields"]}
    assert types["updated_at"] == {"type": "long", "logicalType": "timestamp-millis"}
    assert (types["id"], types["name"]) == ("long", ["null", "string"])


def test_several_timestamp_columns_count_as_the_first_that_is_set(database: AccountDatabase) -> None:
    kind = "TEXT" if database.engine.dialect.name == "sqlite" else "timestamptz"
    database.execute(f"ALTER TABLE accounts ADD COLUMN closed_at {kind}")
    insert_at(database, 1, 2, 3)
    database.execute("UPDATE accounts SET closed_at = '2026-01-01 00:00:09.000' WHERE account_id = 'a0'")
    assert read_all(reader(database, "timestamp", timestamp_column_name="closed_at,updated_at"))[-1] == "a0"


def test_milliseconds_since_1970(database: AccountDatabase) -> None:
    database.execute("ALTER TABLE accounts ADD COLUMN at BIGINT NOT NULL DEFAULT 5")
    insert_at(database, 1, 2, 3, 4)
    database.execute("UPDATE accounts SET at = 3 WHERE account_id = 'a3'")
    table = reader(database, "timestamp+incrementing", timestamp_column_name="at")
    assert read_all(table) == ["a3", "a0", "a1", "a2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamp_column_name": "nothing"}, "has no column nothing, it has id, account_id"),
        ({"incrementing_column_name": "nothing"}, "has no column nothing"),
        ({"timestamp_column_name": "name"}, "name may be null, and such rows would never be read; declare it NOT NULL"),
    ],
)
def test_a_column_that_cannot_serve_is_refused(
    database: AccountDatabase, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ConnectError, match=message):
        reader(database, "timestamp+incrementing", **changes)


def test_polling_uses_an_index(tmp_path: Path) -> None:
    """With one on (timestamp, incrementing) a poll that finds nothing looks at nothing."""
    database = AccountDatabase(f"sqlite:///{tmp_path}/accounts.db")
    database.execute("CREATE INDEX changed ON accounts (updated_at, id)")
    insert_at(database, 1)
    table = reader(database, "timestamp+incrementing", {"timestamp": 1, "incrementing": 1})
    statements: list[tuple[str, Any]] = []
    sa.event.listen(sa.Engine, "before_cursor_execute", listener := lambda *args: statements.append((args[2], args[3])))
    table.read()
    sa.event.remove(sa.Engine, "before_cursor_execute", listener)
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[-1][0]}", statements[-1][1]).all()
    assert [step[-1] for step in plan] == ["SEARCH accounts USING INDEX changed (updated_at>? AND updated_at<?)"]


@pytest.mark.postgres
def test_a_transaction_that_commits_late_is_not_passed_over(postgres: Any, unique: Callable[[str], str]) -> None:
    """Its rows have the time of its beginning, and another transaction's later rows are there already."""
    database = AccountDatabase(postgres.create_database(unique("late")))
    table = reader(database, "timestamp+incrementing", timestamp_delay_interval_ms="1500")
    with database.engine.begin() as early:
        early.execute(sa.text("INSERT INTO accounts (account_id) VALUES ('early')"))
        database.execute("SELECT pg_sleep(0.05)")
        database.execute("INSERT INTO accounts (account_id) VALUES ('later')")
        assert read_all(table) == []
    found: list[str] = []
    while len(found) < 2:
        found += eventually(lambda: read_all(table))
    assert found == ["early", "later"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seconds=st.lists(st.integers(0, 4), max_size=14))
def test_no_row_is_lost_or_repeated(
    data: st.DataObject, seconds: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the timestamps, batch sizes, and restarts at a batch's end."""
    database = AccountDatabase(f"sqlite:///{tmp_path_factory.mktemp('db')}/a.db")
    expected = insert_at(database, *seconds)
    mode, size = data.draw(st.sampled_from(["timestamp", "timestamp+incrementing"])), data.draw(st.integers(1, 5))
    table, found = reader(database, mode, batch_max_rows=str(size)), []
    while (rows := table.read()).rows:
        found += [row["account_id"] for row in rows.rows]
        ((_, offset),) = table.advance(rows)
        if data.draw(st.booleans()):
            table = reader(database, mode, offset, batch_max_rows=str(size))
    assert found == expected
    database.engine.dispose()
