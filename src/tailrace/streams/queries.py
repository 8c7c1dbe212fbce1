"""Queries: the tables of a running application and what its processors keep, read from any thread of its process.

queries = Queries()
words = queries.of(words_table)
threading.Thread(target=run, args=(topology, config, stop), kwargs={"queries": queries}).start()
words.get("alpha")
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Generic, TypeVar, overload

from tailrace.streams.errors import TopologyError
from tailrace.streams.node import StoredTable
from tailrace.streams.state.kept import Kept
from tailrace.streams.state.store import Reader
from tailrace.streams.stored import AnyStored, Stored, StoredSessions, StoredWindows, check_stored
from tailrace.streams.table import Table
from tailrace.streams.task import Task
from tailrace.streams.windows import LATEST, Windowed

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
A = TypeVar("A")

# What a task has of a table, if it has it: how it is kept, and what is committed of it.
Found = tuple[Kept, Reader[Any]] | None


class Queries:
    """What the application keeps that `run` was given this for; until then, and afterwards, that is nothing."""

    def __init__(self) -> None:
        self._tasks: Callable[[], Collection[Task]] = list

    def attach(self, tasks: Callable[[], Collection[Task]]) -> None:
        """Say where the tasks are; called by the worker whose tasks they are."""
        self._tasks = tasks

    @overload
    def of(self, table: Table[K, V] | Stored[V, K]) -> "TableQuery[K, V]": ...

    @overload
    def of(self, table: StoredWindows[V, K] | StoredSessions[V, K]) -> "TableQuery[Windowed[K], V]": ...

    def of(self, table: Table[Any, Any] | AnyStored) -> "TableQuery[Any, Any]":
        """A table, or a processor's store, that can be asked.

        Raises TopologyError for a table that is not kept but made of another when needed.
        """
        if not isinstance(table, Table):
            check_stored(table)
            return TableQuery(self, lambda task: task.committed_store(table.name))
        kept = _kept(table)
        return TableQuery(self, lambda task: None if (reader := task.committed(kept.store)) is None else (kept, reader))

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


class TableQuery(Generic[K, V]):
    """What this process has of a table: the keys of the partitions that it was assigned, as they are committed.

    Windows are there while they are open, or until they expire in a processor's store. Of several partitions, the keys
    of one come after those of another.
    """

    def __init__(self, queries: Queries, find: Callable[[Task], Found]) -> None:
        self._queries = queries
        self._find = find

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
        """Yield the answers of each task; one that is let go of meanwhile has no more of them."""
        for task in self._queries.tasks():
            if (found := self._find(task)) is None:
                continue
            try:
                yield from question(*found)
            except Exception:
                if task in self._queries.tasks():
                    raise


def _kept(table: Table[Any, Any]) -> Kept:
    operator = table.node.operator
    if table.key is None or not isinstance(operator, StoredTable):
        raise TopologyError(f"{table.node.name} is not kept; query what it is made of, or keep it with to_table")
    return operator.kept(table.key)
