"""SqlSink: writes records into tables.

With `insert.mode=upsert` writing is idempotent, and a record that comes a second time changes nothing at all, so that
each record takes effect once. With `insert.mode=insert` a record that comes again is refused by the table's key, or
stands there twice when it has none.
"""

from collections.abc import Sequence

from tailrace.connect.config import Key, Settings, at_least, boolean, names, one_of, text
from tailrace.connect.connector import Connector, Refusal, SinkTask
from tailrace.connect.connectors.sql.database import KEYS, Database, database_url
from tailrace.connect.connectors.sql.row import PK_MODES, Change, RowMaker
from tailrace.connect.connectors.sql.table_writer import TableWriter
from tailrace.connect.errors import ConfigError, DataError
from tailrace.connect.record import Record


class SqlSink(Connector):
    """Topics to tables; a task for each share of the partitions."""

    kind = "sink"
    keys = (
        *KEYS,
        Key("insert.mode", "How records are written.", one_of("insert", "upsert"), "insert"),
        Key("pk.mode", "Where the key columns come from.", one_of(*PK_MODES), "none"),
        Key("pk.fields", "The key columns.", names, None),
        Key("fields.whitelist", "Fields of the value to write; all when left out.", names, None),
        Key("table.name.format", "Name of the table; ${topic} stands for the topic.", text, "${topic}"),
        Key("auto.create", "Whether to create tables that are missing.", boolean, False),
        Key("delete.enabled", "Whether a record without value deletes the row of its key.", boolean, False),
        Key("batch.size", "Most records in one database transaction.", at_least(1), 3000),
    )

    def validate(self) -> None:
        """Check that mode and key fit."""
        database_url(self.settings["connection.url"])
        pk_mode, pk_fields = self.settings["pk.mode"], self.settings["pk.fields"]
        if self.settings["insert.mode"] == "upsert" and pk_mode == "none":
            raise ConfigError("insert.mode='upsert' needs a key; set pk.mode to record_key, record_value or kafka")
        if self.settings["delete.enabled"] and pk_mode != "record_key":
            raise ConfigError(f"delete.enabled=true needs pk.mode=record_key, not pk.mode={pk_mode!r}")
        if pk_mode == "kafka" and pk_fields and len(pk_fields) != 3:
            raise ConfigError(f"pk.fields={pk_fields!r}: pk.mode=kafka needs three, for topic, partition and offset")

    def check(self) -> None:
        """Connect once."""
        database = Database(self.settings)
        try:
            database.check()
        finally:
            database.close()

    def task(self, settings: Settings) -> SinkTask:
        """Make a task that writes its partitions."""
        return SqlSinkTask(settings)


class SqlSinkTask(SinkTask):
    """Writes each batch in one transaction."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings)
        self._make_change = RowMaker(settings)
        self._writers: dict[str, TableWriter] = {}

    def start(self) -> None:
        """Connect."""
        self._database.check()

    def put(self, records: Sequence[Record]) -> list[Refusal]:
        """Write all records in one transaction, or, when the database refuses one, all but that."""
        changes: list[Change] = []
        refusals: list[Refusal] = []
        for record in records:
            try:
                changes.append(self._make_change(record))
            except DataError as error:
                refusals.append(Refusal(record, error))
        return refusals + self._write(changes)

    def stop(self) -> None:
        """Close the connections."""
        self._database.close()

    def _write(self, changes: Sequence[Change]) -> list[Refusal]:
        """Write in one transaction; halve until what is refused stands alone."""
        if not changes:
            return []
        try:
            self._write_all(changes)
        except DataError as error:
            if len(changes) == 1:
                return [Refusal(changes[0].record, error)]
            middle = len(changes) // 2
            return self._write(changes[:middle]) + self._write(changes[middle:])
        return []

    def _write_all(self, changes: Sequence[Change]) -> None:
        runs = _runs(changes)
        for run in runs:
            self._writer(run[0]).prepare(run[0])
        with self._database.transaction() as connection:
            for run in runs:
                self._writer(run[0]).write(connection, run)

    def _writer(self, change: Change) -> TableWriter:
        writer = self._writers.get(change.table)
        if writer is None:
            writer = self._writers[change.table] = TableWriter(self._database, change.table, self._settings)
        return writer


def _runs(changes: Sequence[Change]) -> list[list[Change]]:
    """Group neighbours that one statement can write, so that the order stays."""
    runs: list[list[Change]] = []
    for change in changes:
        if runs and runs[-1][0].is_like(change):
            runs[-1].append(change)
        else:
            runs.append([change])
    return runs
