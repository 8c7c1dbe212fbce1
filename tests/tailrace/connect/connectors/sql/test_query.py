"""The texts of the queries; that they find the right rows is shown with real tables."""

import pytest

from tailrace.connect.connectors.sql.query import Select, timestamp_expression

TS, ID = '"ts"', '"id"'


def select(timestamp: str | None, incrementing: str | None) -> Select:
    return Select('"t"', ['"id"', '"ts"'], timestamp, incrementing, ":before")


@pytest.mark.parametrize(
    ("timestamp", "incrementing", "expected"),
    [
        (None, ID, 'SELECT "id", "ts" FROM "t" ORDER BY "id" LIMIT :limit'),
        (TS, None, 'SELECT "id", "ts" FROM "t" WHERE "ts" < :before ORDER BY "ts" LIMIT :limit'),
        (TS, ID, 'SELECT "id", "ts" FROM "t" WHERE "ts" < :before ORDER BY "ts", "id" LIMIT :limit'),
    ],
)
def test_from_the_beginning(timestamp: str | None, incrementing: str | None, expected: str) -> None:
    assert select(timestamp, incrementing).first() == expected


@pytest.mark.parametrize(
    ("timestamp", "incrementing", "conditions"),
    [
        (None, ID, '"id" > :incrementing'),
        (TS, None, '"ts" > :timestamp AND "ts" < :before'),
        (TS, ID, '"ts" >= :timestamp AND ("ts" > :timestamp OR "id" > :incrementing) AND "ts" < :before'),
    ],
)
def test_after_a_position(timestamp: str | None, incrementing: str | None, conditions: str) -> None:
    assert f" WHERE {conditions} ORDER BY " in select(timestamp, incrementing).after()


def test_the_others() -> None:
    made = select(TS, None)
    assert made.whole() == 'SELECT "id", "ts" FROM "t"'
    assert made.rest_of_tie() == 'SELECT "id", "ts" FROM "t" WHERE "ts" = :timestamp'
    assert made.any_timestamp() == 'SELECT "ts" FROM "t" WHERE "ts" IS NOT NULL LIMIT 1'


def test_several_timestamp_columns_are_one_expression() -> None:
    assert timestamp_expression([TS]) == TS
    assert timestamp_expression([TS, '"made"']) == 'COALESCE("ts", "made")'
