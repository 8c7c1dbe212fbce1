"""Queries: the tables of a running application and what its processors keep, read from any thread of its process.

queries = Queries()
words = queries.of(words_table)
threading.Thread(target=run, args=(topology, config, stop), kwargs={"queries": queries}).start()
words.get("alpha")
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from tailrace.streams.errors import TopologyError
from tailrace.streams.node import StoredTable
from tailrace.streams.state.kept import Kept
from tailrace.streams.state.store import Committed, Reader
from tailrace.streams.state.table import TableStore
from tailrace.streams.stored import AnyStored, Stored, StoredSessions, StoredWindows, check_stored
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.task import Task
from tailrace.streams.windows import LATEST, Windowed

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
P = TypeVar("P")
A = TypeVar("A")

# What a task or an instance has of a table, if it has it: how it is kept, and what is committed of it.
Found = tuple[Kept, Reader[Any]] | None


class Queries:
    """What the application keeps that `run` was given this for; until then, and afterwards, that is nothing."""

    def __init__(self) -> None:
        self._tasks: Callable[[], Collection[Task]] = list
        self._global_tables: Callable[[], Mapping[str, TableStore[Any, Any]]] = dict

    def attach(
        self,
        tasks: Callable[[], Collection[Task]],
        global_tables: Callable[[], Mapping[str, TableStore[Any, Any]]] = dict,
    ) -> None:
        """Say where the tasks and the global tables are; called by the worker that has them."""
        self._tasks, self._global_tables = tasks, global_tables

    @overload
    def of(self, table: Table[K, V] | GlobalTable[K, V] | Stored[V, K]) -> "TableQuery[K, V]": ...

    @overload
    def of(self, table: StoredWindows[V, K] | StoredSessions[V, K]) -> "TableQuery[Windowed[K], V]": ...

    def of(self, table: Table[Any, Any] | GlobalTable[Any, Any] | AnyStored) -> "TableQuery[Any, Any]":
        """A table, a global table, or a processor's store, that can be asked.

        Raises TopologyError for a table that is not kept but made of another when needed.
        """
        if isinstance(table, GlobalTable):
            topic, whole = table.topic, table.kept
            return TableQuery(lambda: self._global_table(topic), lambda found: (whole, Committed(found.store)))
        if not isinstance(table, Table):
            check_stored(table)
            return TableQuery(self.tasks, lambda task: task.committed_store(table.name))
        kept = _kept(table)
        return TableQuery(
            self.tasks, lambda task: None if (reader := task.committed(kept.store)) is None else (kept, reader)
        )

    def tasks(self) -> list[Task]:
        """The tasks that are here."""
        return list(self._tasks())

    def read(self, store: str, partition: int, question: Callable[[Reader[Any]], A]) -> A | None:
        """What the store of a table answers, in a partition; None when that is not here, or is let go of meanwhile."""
        for task in self.tasks():
            if task.partition == partition and (reader := task.committed(store)) is not None:
                try:
                    return question(reader)
                except Exception:
                    if task in self.tasks():
                        raise
        return None

    def read_global(self, topic: str, question: Callable[[Reader[Any]], A]) -> A | None:
        """As `read`, of a global table."""
        for table in self._global_table(topic):
            try:
                return question(Committed(table.store))
            except Exception:
                if table in self._global_table(topic):
                    raise
        return None

    def _global_table(self, topic: str) -> list[TableStore[Any, Any]]:
        """A global table, if it is here."""
        table = self._global_tables().get(topic)
        return [] if table is None else [table]


class TableQuery(Generic[K, V]):
    """What this process has of a table: the keys of the partitions that it was assigned, as they are committed.

    Of a global table it has all. Windows are there while they are open, or until they expire in a processor's store. Of
    several partitions, the keys of one come after those of another.
    """

    def __init__(self, places: Callable[[], Collection[P]], find: Callable[[P], Found]) -> None:
        self._places: Callable[[], Collection[Any]] = places
        self._find: Callable[[Any], Found] = find

    def get(self, key: K) -> V | None:
        """The value of a key; None where it has none here."""
        return next(self._ask(lambda kept, reader: (v for v in [kept.get(reader, key)] if v is not None)), None)

    def range(self, first: K | None = None, last: K | None = None) -> Iterator[tuple[K, V]]:
        """Yield keys and values from `first` to `last`, inclusive, in the order of the keys' bytes; None is open."""
        return self._ask(lambda kept, reader: kept.range(reader, first, last))

    def all(self) -> Iterator[tuple[K, V]]:
        """Yield all keys and values."""
        return self.range()

    @overload
    def fetch(self: "TableQuery[Windowed[K2], V]", key: K2) -> Iterator[tuple[Windowed[K2], V]]: ...

    @overload
    def fetch(
        self: "TableQuery[Windowed[K2], V]", key: K2, earliest: int, latest: int
    ) -> Iterator[tuple[Windowed[K2], V]]: ...

    def fetch(self, key: Any, earliest: int = 0, latest: int = LATEST) -> Iterator[tuple[Any, Any]]:
        """Yield the windows of a key that begin from `earliest` to `latest`, inclusive, milliseconds since 1970."""
        return self._ask(lambda kept, reader: kept.fetch(reader, key, earliest, latest))

    def _ask(self, question: Callable[[Kept, Reader[Any]], Iterator[Any]]) -> Iterator[Any]:
        """Yield the answers of each place; one that is let go of meanwhile has no more of them."""
        for place in self._places():
            if (found := self._find(place)) is None:
                continue
            try:
                yield from question(*found)
            except Exception:
                if place in self._places():
                    raise


def _kept(table: Table[Any, Any]) -> Kept:
    operator = table.node.operator
    if table.key is None or not isinstance(operator, StoredTable):
        raise TopologyError(f"{table.node.name} is not kept; query what it is made of, or keep it with to_table")
    return operator.kept(table.key)
