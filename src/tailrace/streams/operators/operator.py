"""What every step has in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tailrace.streams.record import Process, Record

if TYPE_CHECKING:
    from tailrace.streams.task import Task


class Operator(Protocol):
    """A step of a topology."""

    def bind(self, task: "Task", forward: Process) -> Process:
        """Make the function that handles a record of this task and passes results to `forward`."""

    def describe(self) -> str:
        """Name the step in a line of text."""


def fan_out(targets: Sequence[Process]) -> Process:
    """Make one function of several: each record goes to all, in order."""
    if len(targets) == 1:
        return targets[0]

    def forward(key: str, value: object, record: Record) -> None:
        for target in targets:
            target(key, value, record)

    return forward
