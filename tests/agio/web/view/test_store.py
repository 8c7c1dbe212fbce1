import sqlite3
from pathlib import Path

import pytest

from agio.web.view.store import Store

WRITE = "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)"
ROW = ("a", "ada", "Ada", "EUR", "active")


def names(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM accounts")]
    connection.close()
    return found


def filled(path: Path) -> Path:
    store = Store(path, "cluster")
    store.apply([(WRITE, [ROW])], {("accounts", 3): 7})
    store.close()
    return path


def test_rows_and_offsets_are_there_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "web-1" / "view.db")
    store = Store(path, "cluster")
    assert store.offsets == {("accounts", 3): 7}
    assert names(path) == ["Ada"]
    store.close()


def test_a_batch_is_taken_in_whole_or_not_at_all(tmp_path: Path) -> None:
    path = filled(tmp_path / "view.db")
    store = Store(path, "cluster")
    with pytest.raises(sqlite3.Error):
        store.apply([(WRITE, [("b", "bob", "Bob", "EUR", "active")]), (WRITE, [("c",)])], {("accounts", 3): 9})
    assert store.offsets == {("accounts", 3): 7}
    store.close()
    assert names(path) == ["Ada"]


def test_the_view_of_another_cluster_is_built_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "view.db")
    store = Store(path, "another cluster")
    assert store.offsets == {}
    store.close()
    assert names(path) == []


@pytest.mark.parametrize("damage", [b"", b"not a database", b"\x00" * 5000])
def test_a_damaged_view_is_built_again(tmp_path: Path, damage: bytes) -> None:
    path = filled(tmp_path / "view.db")
    path.write_bytes(damage)
    store = Store(path, "cluster")
    assert store.offsets == {}
    store.close()
    assert names(path) == []
