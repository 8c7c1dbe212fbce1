"""The graph of a topology: its steps, and what feeds what."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tailrace.registry.serde import Serde
    from tailrace.streams.code.code import Code
    from tailrace.streams.code.flow import Flow, Forward
    from tailrace.streams.state.kept import Kept
    from tailrace.streams.state.store import StoreSpec


class Operator(Protocol):
    """What a step does."""

    def emit(self, code: "Code", flow: "Flow", forward: "Forward") -> None:
        """Write the code for one record; `forward` writes what follows, once for each place that it is called at."""

    def describe(self) -> str:
        """Name the step in a line of text."""

    @property
    def stores(self) -> "Iterable[StoreSpec]":
        """The state that the step has in each task."""


class TableOperator(Operator, Protocol):
    """A step whose result is a table, so that the current value of a key can be asked for."""

    def look_up(self, code: "Code", node: "Node", key: str, key_bytes: str) -> str:
        """Write what finds a key's value, and give its variable; `node` is the place of the step."""


@runtime_checkable
class StoredTable(TableOperator, Protocol):
    """A table that is kept in a store, so that it can be queried."""

    def kept(self, key: "Serde[Any]") -> "Kept":
        """How it is kept; `key` is how the table's keys are written."""


class Stateless:
    """A step without state."""

    stores: "tuple[StoreSpec, ...]" = ()


class Meeting(Stateless):
    """A step that several others feed. `key`: the serde that all their keys were read with, if it is one."""

    key: "Serde[Any] | None"


@dataclass(eq=False)
class Node:
    """A step in its place; `parents` feed it, `reads` are tables that it looks things up in."""

    name: str
    operator: Operator
    parents: tuple["Node", ...] = ()
    reads: tuple["Node", ...] = ()
    children: list["Node"] = field(default_factory=list)

    def __post_init__(self) -> None:
        for parent in self.parents:
            parent.children.append(self)
