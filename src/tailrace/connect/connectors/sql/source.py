"""SqlSource: reads new and changed rows of tables into topics.

Rows committed late with an earlier timestamp are only seen when `timestamp.delay.interval.ms` is longer than the
longest transaction that writes to the table. Deletions are never seen.
"""

from collections.abc import Sequence

from tailrace.connect.config import Key, Settings, at_least, boolean, names, one_of, text_or_empty
from tailrace.connect.connector import Batch, Connector, ReadOffset, SourceTask
from tailrace.connect.connectors.sql.database import KEYS, Database, database_url
from tailrace.connect.connectors.sql.position import partition_of
from tailrace.connect.connectors.sql.table_reader import TableReader
from tailrace.connect.errors import ConfigError

NEEDS = {
    "bulk": (),
    "incrementing": ("incrementing.column.name",),
    "timestamp": ("timestamp.column.name",),
    "timestamp+incrementing": ("timestamp.column.name", "incrementing.column.name"),
}


class SqlSource(Connector):
    """Tables to topics, by polling; a task for each share of the tables."""

    kind = "source"
    keys = (
        *KEYS,
        Key("mode", "How new rows are found.", one_of(*NEEDS)),
        Key("table.whitelist", "Tables to read.", names, aliases=("table.include.list",)),
        Key("timestamp.column.name", "Columns whose first non-null value says when a row changed.", names, None),
        Key("incrementing.column.name", "Column that grows with every row.", text_or_empty, None),
        Key("timestamp.delay.interval.ms", "How old a row has to be, so that none comes late.", at_least(0), 0),
        Key("validate.non.null", "Whether these columns must be declared NOT NULL.", boolean, True),
        Key("batch.max.rows", "Most rows of a table in one transaction.", at_least(1), 100),
        Key("topic.prefix", "What the topic's name has before the table's.", text_or_empty, ""),
    )

    def validate(self) -> None:
        """Check that the mode has its columns."""
        database_url(self.settings["connection.url"])
        mode = self.settings["mode"]
        for key in ("timestamp.column.name", "incrementing.column.name"):
            given = self.settings[key]
            if key in NEEDS[mode] and not given:
                raise ConfigError(f"{key} is missing: mode={mode} needs it")
            if key not in NEEDS[mode] and given:
                raise ConfigError(f"{key}={given!r} is not used in mode={mode}; leave it out")

    def check(self) -> None:
        """Connect once."""
        database = Database(self.settings)
        try:
            database.check()
        finally:
            database.close()

    def task_settings(self, tasks_max: int) -> Sequence[Settings]:
        """Deal the tables out."""
        tables: list[str] = self.settings["table.whitelist"]
        count = min(tasks_max, len(tables))
        return [self.settings | {"table.whitelist": tables[first::count]} for first in range(count)]

    def task(self, settings: Settings) -> SourceTask:
        """Make a task that polls its tables."""
        return SqlSourceTask(settings)


class SqlSourceTask(SourceTask):
    """Polls each of its tables once per poll."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings)
        self._tables: list[TableReader] = []

    def start(self, read_offset: ReadOffset) -> None:
        """Look at the tables."""
        self._tables = [
            TableReader(self._database, table, self._settings, read_offset(partition_of(table)))
            for table in self._settings["table.whitelist"]
        ]

    def poll(self) -> Batch:
        """Read the next rows of every table."""
        found = [(table, table.read()) for table in self._tables]
        records, offsets = [], []
        for table, rows in found:
            records += table.records(rows)
            offsets += table.advance(rows)
        return Batch(records, offsets, more=any(rows.more for _, rows in found))

    def stop(self) -> None:
        """Close the connections."""
        self._database.close()
