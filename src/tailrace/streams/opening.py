"""Opening: a task with the state that was on disk, if that can be caught up."""

import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Consumer

from tailrace.client import all_ends
from tailrace.streams.instances.claims import TaskId
from tailrace.streams.metrics.counters import TaskCounters
from tailrace.streams.output import Output
from tailrace.streams.plan import Plan
from tailrace.streams.restore import ENDS_TIMEOUT_S
from tailrace.streams.state.divided_backend import open_backend
from tailrace.streams.state.table import TableStore
from tailrace.streams.task import Task

log = structlog.get_logger("tailrace.streams")

# `delete.retention.ms` of a topic, which is a day unless it was changed, less an hour.
DELETIONS_KEPT_MS = 23 * 3_600_000


class Opener:
    """Opens tasks with folders in `state`, or in memory; what they write is appended to `outputs`.

    `in_memory`: names of stores that are in memory anyway. `uncommitted`: a reader of uncommitted records, which is
    asked where topics end. `counters`: where a task counts, by its name.
    """

    def __init__(
        self,
        plan: Plan,
        state: Path | None,
        in_memory: Collection[str],
        outputs: list[Output],
        global_tables: Mapping[str, TableStore[Any, Any]],
        uncommitted: Consumer,
        counters: Callable[[str], TaskCounters],
    ) -> None:
        self._plan = plan
        self._state = state
        self._in_memory = in_memory
        self._outputs = outputs
        self._global_tables = dict(global_tables)
        self._uncommitted = uncommitted
        self._counters = counters

    def open(self, id_: TaskId) -> Task:
        """Open a task."""
        name, partition = id_
        folder = self._state and self._state / f"{name}-{partition}"
        task = self._new_task(id_, folder)
        try:
            unusable = folder and why_unusable(self._uncommitted, task)
        except BaseException:
            task.close()
            raise
        if folder is not None and unusable:
            log.warning("state is rebuilt", reason=unusable, folder=str(folder))
            task.close()
            shutil.rmtree(folder)
            task = self._new_task(id_, folder)
        return task

    def _new_task(self, id_: TaskId, folder: Path | None) -> Task:
        name, partition = id_
        sub, counters = self._plan.named[name], self._counters(f"{name}-{partition}")
        backend = open_backend(folder, sub.in_memory(self._in_memory))
        return Task(sub, partition, backend, self._outputs, self._global_tables, counters)


def why_unusable(uncommitted: Consumer, task: Task) -> str | None:
    """Say why state cannot be caught up from its topics, or None.

    Either it goes further than they do, since they were deleted and made anew; or it is so old that compaction may have
    forgotten deletions that the state never saw, and deleted keys would come back.
    """
    is_old = task.state_age_ms() > DELETIONS_KEPT_MS
    compacted = task.compacted
    folded = {(topic, task.partition): offset for topic, offset in task.folded.items() if offset > 0}
    for (topic, partition), end in all_ends(uncommitted, folded, ENDS_TIMEOUT_S).items():
        offset = folded[topic, partition]
        if offset > end:
            return f"it is of another {topic}: it goes to offset {offset}, the topic to {end}"
        if is_old and offset < end and topic in compacted:
            return f"it is so old that {topic} may have forgotten what was deleted since"
    return None
