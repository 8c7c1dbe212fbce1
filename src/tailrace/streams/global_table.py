"""The global tables of a process: all partitions of their topics, read outside any group and any transaction."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tailrace.client import CatchUp, Record, consume, consumer
from tailrace.registry.errors import SerdeError
from tailrace.streams.state.backend import Backend
from tailrace.streams.state.table import TableStore
from tailrace.streams.table import GlobalTable

log = structlog.get_logger("tailrace.streams")

WRITE_INTERVAL_S = 1.0


class GlobalTables:
    """Reads the topics of an application's global tables; `tables` holds their content, until they are closed."""

    def __init__(
        self,
        application: str,
        tables: Mapping[str, GlobalTable[Any, Any]],
        backend: Backend,
        bootstrap_servers: str,
        partitions: Mapping[str, int],
    ) -> None:
        self.tables: dict[str, TableStore[Any, Any]] = {
            topic: TableStore(topic, backend, table.key, table.value) for topic, table in tables.items()
        }
        self._application = application
        self._backend = backend
        self._unwritten: dict[tuple[str, int], int] = {}
        self._written_at = time.monotonic()
        self._consumer: Consumer | None = None
        if self.tables:
            starts = {(topic, p): 0 for topic in self.tables for p in range(partitions[topic])} | backend.offsets()
            self._consumer = consumer(bootstrap_servers, f"{application}-global", enable_partition_eof=True)
            self._progress = CatchUp(self._consumer, starts)
            self._consumer.assign([TopicPartition(*tp, start or OFFSET_BEGINNING) for tp, start in starts.items()])

    def catch_up(self, stopped: Callable[[], bool]) -> None:
        """Read to the ends that the topics have now, unless `stopped`."""
        while self._consumer is not None and self._progress.behind and not stopped():
            self.update(0.1)

    def update(self, timeout_s: float = 0.0) -> None:
        """Fold what has arrived."""
        if self._consumer is None:
            return
        for record in consume(self._consumer, 1000, timeout_s):
            if record.error() is None:
                self._apply(record)
            self._progress.note(record)
        if self._unwritten and time.monotonic() - self._written_at > WRITE_INTERVAL_S:
            self.write()

    def write(self) -> None:
        """Write what was folded, with its offsets."""
        stores = [table.store for table in self.tables.values()]
        self._backend.write((entry for store in stores for entry in store.unwritten()), self._unwritten)
        for store in stores:
            store.written()
        self._unwritten = {}
        self._written_at = time.monotonic()

    def close(self) -> None:
        """Write and let go."""
        if self._consumer is not None:
            self._consumer.close()
        self.write()
        # Before the files are: queries in other threads do not fail on what nobody has any more.
        self.tables = {}
        self._backend.close()

    def _apply(self, record: Record) -> None:
        table = self.tables[record.topic()]
        try:
            table.apply(record)
            table.store.commit()
        except SerdeError as error:
            # Every instance reads these topics, so none of them sends a dead letter; the old value stays.
            log.warning(
                "unreadable record of a global table skipped",
                application=self._application,
                topic=record.topic(),
                offset=record.offset(),
                error=str(error),
            )
        self._unwritten[record.topic(), record.partition()] = record.offset() + 1
