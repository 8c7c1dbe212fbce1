"""The metrics of a running application, as text for whoever serves it.

metrics = Metrics()
threading.Thread(target=run, args=(topology, config, stop), kwargs={"metrics": metrics}).start()
metrics.text()
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from tailrace.streams.metrics.counters import ApplicationCounters, TaskCounters

if TYPE_CHECKING:
    from tailrace.streams.state.backend import Backend
    from tailrace.streams.task import Task

READY = "ready"


class View(Protocol):
    """What is seen of a worker while it works."""

    def tasks(self) -> Collection[Task]:
        """The tasks that are here."""

    def lags(self) -> Mapping[tuple[str, str], int]:
        """How many records were not processed yet, as far as that is known, by name of the task and topic."""

    def global_state(self) -> Backend:
        """Where the global tables are kept."""


class Metrics:
    """What an application that `run` was given this for tells; may be asked from any thread, before and after, too."""

    def __init__(self) -> None:
        self.application = ApplicationCounters()
        self.tasks: dict[str, TaskCounters] = {}
        # Names of the application and of the instance.
        self.identity = ("", "")
        self.state = "starting"
        self._view: View | None = None

    def of_task(self, name: str) -> TaskCounters:
        """The counters of a task, which go on where they were if it comes back."""
        return self.tasks.setdefault(name, TaskCounters())

    def attach(self, view: View) -> None:
        """Say whose tasks there are; called by the worker."""
        self._view = view

    def detach(self) -> None:
        """Forget the worker; what it counted stays."""
        self._view = None

    def text(self) -> bytes:
        """The metrics in Prometheus' text format, and those of the process."""
        from tailrace.metrics.exposition import exposition
        from tailrace.streams.metrics.readings import read

        return exposition(read(self, self._view))

    def check(self) -> str:
        """The state: `ready` when tasks are caught up and records are processed."""
        is_restoring = any(counters.restore_left is not None for counters in list(self.tasks.values()))
        return "restoring" if self.state == READY and is_restoring else self.state
