"""The tables of an application, and what its processors keep, that can be asked for by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.client import partition_of
from tailrace.registry.serde import Serde
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.node import StoredTable
from tailrace.streams.operators.process import Process
from tailrace.streams.plan import Plan
from tailrace.streams.serving.keys import python_type, type_name
from tailrace.streams.state.kept import Kept, KeptBySession, KeptByWindow
from tailrace.streams.topology import Topology


@dataclass(frozen=True)
class ServedTable:
    """A table that is kept in a store, in so many `partitions` of a sub-topology.

    Without one it is a global table, which every instance has whole.
    """

    kept: Kept
    value: Serde[Any] | None
    subtopology: str | None = None
    partitions: int = 1

    @property
    def name(self) -> str:
        """Name of its store: for the table of a topic, that of the topic."""
        return self.kept.store

    @property
    def has_windows(self) -> bool:
        """Whether a key has windows rather than a value."""
        return isinstance(self.kept, KeptByWindow | KeptBySession)

    def partition(self, key: Any) -> int:
        """The partition that Kafka's producers choose for a key. Raises SerdeError for what is no key of the table."""
        return partition_of(self.kept.key.encode(key), self.partitions)

    def task(self, partition: int) -> TaskId | None:
        """The task that has a partition of it, None for a global table."""
        return None if self.subtopology is None else (self.subtopology, partition)

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
            "global": self.subtopology is None,
        }


def served_tables(topology: Topology, plan: Plan, partitions: Mapping[str, int]) -> dict[str, ServedTable]:
    """What is kept, by name; `partitions` are the counts of all topics."""
    places = {
        name: (sub.name, tasks)
        for sub, tasks in plan.tasks(partitions)
        for name in (*sub.stores, *sub.tables, *sub.flowing_tables)
    }
    tables = [ServedTable(table.kept, table.value) for table in topology.global_tables.values()]
    for table in topology.tables:
        operator = table.node.operator
        if table.key is not None and isinstance(operator, StoredTable):
            kept = operator.kept(table.key)
            tables.append(ServedTable(kept, table.value, *places[kept.store]))
    for node in topology.nodes:
        for builder in node.operator.builders if isinstance(node.operator, Process) else ():
            tables.append(ServedTable(builder.kept, builder.value, *places[builder.kept.store]))
    return {table.name: table for table in sorted(tables, key=lambda table: table.name)}
