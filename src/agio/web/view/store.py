"""The tables' one writer. What is written and how far the topics were read is one SQLite transaction."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from agio.web.view.fold import Write

Offsets = Mapping[tuple[str, int], int]

_HERE = Path(__file__).parent


class Store:
    """The view of one cluster's topics, in the file at `path`; belongs to the thread that made it.

    A file that another cluster's topics or other rules of folding made is deleted, to be built again.
    """

    def __init__(self, path: Path, cluster_id: str) -> None:
        self._path = path
        self._made_from = f"{cluster_id} {_rules()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _connect(path)
        if not self._is_ours():
            self.clear()

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset to read of each (topic, partition) that was read."""
        rows = self._connection.execute("SELECT topic, partition, next FROM offsets")
        return {(topic, partition): offset for topic, partition, offset in rows}

    def apply(self, writes: Iterable[Write], offsets: Offsets) -> None:
        """Execute the writes of a batch of records and take over the offsets, all or nothing.

        `offsets`: the next to read, of the partitions that the batch came from.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in writes:
                connection.executemany(statement, rows)
            rows = [(*partition, offset) for partition, offset in offsets.items()]
            connection.executemany("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", rows)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def clear(self) -> None:
        """Begin again with empty tables; nobody may be reading."""
        self._connection.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._connection = _connect(self._path)
        self._connection.executescript((_HERE / "schema.sql").read_text(encoding="utf-8"))
        self._connection.execute("CREATE TABLE made_from (rules TEXT NOT NULL)")
        self._connection.execute("INSERT INTO made_from VALUES (?)", (self._made_from,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _is_ours(self) -> bool:
        try:
            return self._connection.execute("SELECT rules FROM made_from").fetchall() == [(self._made_from,)]
        except sqlite3.DatabaseError:  # empty, half made or damaged
            return False


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError:  # damaged: found out again, and mended, where the rules are read
        return connection
    # What a power cut takes back is read from the topics again, as the offsets go back with it.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 16000")  # 64 MiB: pages written often are copied back once
    connection.execute("PRAGMA cache_size = -32000")
    return connection


def _rules() -> str:
    content = b"".join((_HERE / name).read_bytes() for name in ("schema.sql", "fold.py"))
    return hashlib.sha256(content).hexdigest()
