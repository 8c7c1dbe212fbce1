"""The texts of the sink's statements."""

import pytest

from tailrace.connect.connectors.sql import statement


def test_insert() -> None:
    assert statement.insert('"t"', ['"a"', '"b"']) == 'INSERT INTO "t" ("a", "b") VALUES (:p0, :p1)'


@pytest.mark.parametrize(
    ("keys", "distinct", "action"),
    [
        (['"a"'], "IS NOT", 'UPDATE SET "b" = excluded."b" WHERE "t"."b" IS NOT excluded."b"'),
        (['"a"'], None, 'UPDATE SET "b" = excluded."b"'),
        (['"a"', '"b"'], "IS NOT", "NOTHING"),
    ],
    ids=["differing", "incomparable", "keys-only"],
)
def test_upsert(keys: list[str], distinct: str | None, action: str) -> None:
    made = statement.upsert('"t"', ['"a"', '"b"'], keys, distinct)
    assert made == f'INSERT INTO "t" ("a", "b") VALUES (:p0, :p1) ON CONFLICT ({", ".join(keys)}) DO {action}'


def test_delete() -> None:
    assert statement.delete('"t"', ['"a"', '"b"']) == 'DELETE FROM "t" WHERE "a" = :p0 AND "b" = :p1'
