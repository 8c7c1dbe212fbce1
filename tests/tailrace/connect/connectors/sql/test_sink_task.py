"""Batches of records, written into a real table."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tailrace.connect.connectors.sql.sink import SqlSinkTask
from tailrace.connect.errors import ConnectError
from tailrace.connect.framework import read_config
from tailrace.connect.record import Record
from tests.tailrace.connect.accounts import AccountDatabase

MOMENT = datetime(2026, 11, 23, 10, 20, 30, 123000, tzinfo=UTC)


def sink_task(database: AccountDatabase, **changes: str) -> SqlSinkTask:
    config = {
        "name": "s",
        "connector.class": "SqlSink",
        "topics": "accounts",
        "connection.url": database.url,
        "insert.mode": "upsert",
        "pk.mode": "record_value",
        "pk.fields": "account_id",
    }
    made = read_config(config | {name.replace("_", "."): value for name, value in changes.items()})
    task = made.connector.task(made.settings)
    assert isinstance(task, SqlSinkTask)
    return task


def account(number: int, **fields: Any) -> Record:
    value = {"account_id": f"a{number}", "username": f"u{number}"} | fields
    return Record("accounts", f"a{number}", value, partition=0, offset=number)


ROWS = "SELECT account_id, username, name FROM accounts ORDER BY account_id"


def test_a_batch_is_written(database: AccountDatabase) -> None:
    """Also with different fields, and the same key twice: the last one stays."""
    task = sink_task(database)
    assert task.put([account(1), account(2, name="Two"), account(1, name="One"), account(1, username="x")]) == []
    assert database.rows(ROWS) == [("a1", "x", "One"), ("a2", "u2", "Two")]


def test_a_batch_that_comes_again_changes_nothing_at_all(database: AccountDatabase) -> None:
    """Not even the time of the last change, so that a source on the table sees nothing."""
    task, everything = sink_task(database), "SELECT * FROM accounts"
    task.put([account(1), account(2)])
    before = database.rows(everything)
    task.put([account(1), account(2)])
    assert database.rows(everything) == before
    task.put([account(1, username="x")])
    assert database.rows(everything) != before


def test_what_the_database_refuses_is_given_back_alone(database: AccountDatabase) -> None:
    """A user name that is taken: all others are written."""
    batch = [account(number) for number in range(20)]
    batch[7].value["username"] = batch[13].value["username"] = "u0"
    refusals = sink_task(database).put(batch)
    assert [refusal.record.offset for refusal in refusals] == [7, 13]
    assert "UNIQUE" in str(refusals[0].error).upper()
    assert database.rows("SELECT count(*) FROM accounts") == [(18,)]


def test_what_makes_no_row_is_given_back(database: AccountDatabase) -> None:
    refusals = sink_task(database).put([Record("accounts", "a1", None), account(2), Record("accounts", "a3", {"x": 1})])
    assert [str(refusal.error)[:30] for refusal in refusals] == [
        "the record has no value; set d",
        "the value has no field account",
    ]
    assert len(database.rows(ROWS)) == 1


def test_a_field_without_a_column_stops_the_task(database: AccountDatabase) -> None:
    """Until there is a column: it is found without a restart."""
    task = sink_task(database)
    with pytest.raises(ConnectError, match=r"has no column for the field email; add it, or leave the field out"):
        task.put([account(1), account(2, email="x")])
    assert database.rows(ROWS) == []
    database.execute("ALTER TABLE accounts ADD COLUMN email TEXT")
    assert task.put([account(1), account(2, email="x")]) == []


def test_inserting_refuses_what_is_there(database: AccountDatabase) -> None:
    task = sink_task(database, insert_mode="insert", pk_mode="none")
    assert task.put([account(1)]) == []
    assert [r.record.offset for r in task.put([account(1), account(2)])] == [1]
    assert len(database.rows(ROWS)) == 2


def test_a_record_without_value_deletes_its_row(database: AccountDatabase) -> None:
    """In order with what else happens to the row."""
    task = sink_task(database, pk_mode="record_key", delete_enabled="true")
    gone = Record("accounts", "a1", None)
    assert task.put([account(1), account(2), gone]) == []
    assert task.put([gone, account(3)]) == []
    assert [row[0] for row in database.rows(ROWS)] == ["a2", "a3"]
    assert task.put([gone, account(1)]) == []
    assert len(database.rows(ROWS)) == 3


def test_a_missing_table_stops_the_task_until_it_is_there(database: AccountDatabase) -> None:
    task = sink_task(database, table_name_format="later")
    with pytest.raises(ConnectError, match="has no table later; create it"):
        task.put([account(1)])
    database.execute("CREATE TABLE later (account_id TEXT PRIMARY KEY, username TEXT)")
    assert task.put([account(1)]) == []


SCHEMA = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "s", "type": ["null", "string"]},
        {"name": "n", "type": "long"},
        {"name": "b", "type": "boolean"},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "list", "type": {"type": "array", "items": "long"}},
    ],
}


def test_a_table_is_made_for_the_schema(database: AccountDatabase) -> None:
    """With the record's place as its key, whatever the names; quoted, since "list" and "Order" are."""
    task = sink_task(
        database, auto_create="true", pk_mode="kafka", pk_fields="Topic,part:ition,off%set", table_name_format="Order"
    )
    value = {"s": None, "n": 2**40, "b": True, "t": MOMENT, "d": Decimal("1.50"), "list": [1, 2]}
    record = Record("t", None, value, SCHEMA, partition=3, offset=4)
    assert task.put([record]) == []
    assert task.put([record]) == []
    (row,) = database.rows('SELECT * FROM "Order"')
    if database.engine.dialect.name == "sqlite":
        assert row == ("t", 3, 4, None, 2**40, 1, "2026-11-23 10:20:30.123", 1.5, "[1, 2]")
    else:
        assert row == ("t", 3, 4, None, 2**40, True, MOMENT, Decimal("1.50"), [1, 2])


def test_a_table_is_not_made_without_a_schema(database: AccountDatabase) -> None:
    with pytest.raises(ConnectError, match=r"auto\.create cannot tell the type of username for table new"):
        sink_task(database, auto_create="true", table_name_format="new").put([account(1)])
