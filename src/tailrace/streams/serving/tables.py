"""The tables of an application that can be asked for by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.client import partition_of
from tailrace.registry.serde import Serde
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.node import StoredTable
from tailrace.streams.plan import Plan
from tailrace.streams.serving.keys import python_type, type_name
from tailrace.streams.state.kept import Kept, KeptBySession, KeptByWindow
from tailrace.streams.topology import Topology


@dataclass(frozen=True)
class ServedTable:
    """A table that is kept in a store, in so many `partitions` of a sub-topology."""

    kept: Kept
    value: Serde[Any] | None
    subtopology: str
    partitions: int

    @property
    def name(self) -> str:
        """Name of its store: for the table of a topic, that of the topic."""
        return self.kept.store

    @property
    def has_windows(self) -> bool:
        """Whether a key has windows rather than a value."""
        return isinstance(self.kept, KeptByWindow | KeptBySession)

    def partition(self, key: Any) -> int:
        """The partition of a key. Raises SerdeError for what is no key of the table."""
        return partition_of(self.kept.key.encode(key), self.partitions)

    def task(self, partition: int) -> TaskId:
        """The task that has a partition of it."""
        return self.subtopology, partition

    def described(self) -> dict[str, Any]:
        """What others may know of it: names of types are those of Python, None where they are not known."""
        kinds: dict[type, str] = {KeptByWindow: "windows", KeptBySession: "sessions"}
        value = None if self.value is None else type_name(python_type(self.value))
        return {
            "name": self.name,
            "kind": kinds.get(type(self.kept), "keys"),
            "key": type_name(python_type(self.kept.key)),
            "value": value,
            "partitions": self.partitions,
        }


def served_tables(topology: Topology, plan: Plan, partitions: Mapping[str, int]) -> dict[str, ServedTable]:
    """The tables that are kept, by name; `partitions` are the counts of all topics."""
    places = {
        name: (sub.name, tasks)
        for sub, tasks in plan.tasks(partitions)
        for name in (*sub.stores, *sub.tables, *sub.flowing_tables)
    }
    tables = {}
    for table in topology.tables:
        operator = table.node.operator
        if table.key is not None and isinstance(operator, StoredTable):
            kept = operator.kept(table.key)
            tables[kept.store] = ServedTable(kept, table.value, *places[kept.store])
    return dict(sorted(tables.items()))
