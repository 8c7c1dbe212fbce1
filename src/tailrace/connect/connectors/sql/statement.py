"""The statements of the sink: text only, no database. Parameters are `p0`, `p1`, ... in the order of the columns."""

from collections.abc import Sequence


def insert(table: str, columns: Sequence[str]) -> str:
    """Insert a row; names quoted."""
    parameters = ", ".join(f":p{index}" for index in range(len(columns)))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({parameters})"


def upsert(table: str, columns: Sequence[str], keys: Sequence[str], distinct: str | None) -> str:
    """Insert a row, or update the one with the same keys where it differs.

    A row that is already as it should be is not touched: no trigger fires when records come a second time.
    `distinct`: the database's operator for "is not the same as", nulls included; None where a column's type has none.
    """
    others = [column for column in columns if column not in keys]
    sql = f"{insert(table, columns)} ON CONFLICT ({', '.join(keys)}) DO "
    if not others:
        return sql + "NOTHING"
    changes = ", ".join(f"{column} = excluded.{column}" for column in others)
    sql += f"UPDATE SET {changes}"
    if distinct is None:
        return sql
    differs = " OR ".join(f"{table}.{column} {distinct} excluded.{column}" for column in others)
    return f"{sql} WHERE {differs}"


def delete(table: str, keys: Sequence[str]) -> str:
    """Delete the row with the keys."""
    return f"DELETE FROM {table} WHERE " + " AND ".join(f"{key} = :p{index}" for index, key in enumerate(keys))
