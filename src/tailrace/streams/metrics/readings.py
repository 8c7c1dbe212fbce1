"""An application's metrics as plain rows, taken while it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from tailrace.metrics.reading import Kind, Reading, Row, distribution
from tailrace.streams.metrics.counters import Counts, TaskCounters

if TYPE_CHECKING:
    from tailrace.streams.metrics.metrics import Metrics, View
    from tailrace.streams.state.store import Store

PREFIX = "tailrace_streams_"
# The task that global tables are said to be of.
GLOBAL = "global"


class Readings:
    """Makes readings of one application, whose name is their first label."""

    def __init__(self, application: str) -> None:
        self._application = application

    def one(self, name: str, kind: Kind, description: str, value: float) -> Reading:
        """A metric of the application as a whole."""
        return self.rows(name, kind, description, (), [((), value)])

    def rows(self, name: str, kind: Kind, description: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Reading:
        """A metric with a row for each combination of further labels."""
        own = [((self._application, *values), value) for values, value in rows]
        return Reading(PREFIX + name, kind, description, ("application", *labels), own)


def read(metrics: Metrics, view: View | None) -> list[Reading]:
    """All metrics of an application; without a view, those that were counted."""
    application, instance = metrics.identity
    made, counters = Readings(application), sorted(metrics.tasks.copy().items())
    return [
        made.rows("info", "gauge", "Who this is.", ("instance",), [((instance,), 1)]),
        made.one("ready", "gauge", "Whether records are processed.", int(metrics.check() == "ready")),
        *_transactions(made, metrics),
        *_records(made, counters),
        *_restoring(made, counters, view),
        *_operators(made, counters),
        *([] if view is None else _state(made, view)),
    ]


def _transactions(made: Readings, metrics: Metrics) -> Iterator[Reading]:
    counters = metrics.application
    yield made.one("commits", "counter", "Transactions that were committed.", counters.commits)
    yield made.one("aborts", "counter", "Transactions that were aborted.", counters.aborts)
    yield made.one("rollbacks", "counter", "Times that work was undone, to be done again.", counters.rollbacks)
    yield made.rows(
        "commit_seconds",
        "histogram",
        "Time to commit, from the last output to the broker's word.",
        (),
        [((), distribution(counters.commit_seconds))],
    )
    yield made.one("rebalances", "counter", "Times that partitions were assigned.", counters.rebalances)
    replaced = "Producers that were replaced: a record was refused, or a broker may get the end of a transaction twice."
    yield made.one("replaced_producers", "counter", replaced, counters.replaced_producers)


def _records(made: Readings, counters: list[tuple[str, TaskCounters]]) -> Iterator[Reading]:
    def by_topic(name: str, said: str, value: Callable[[Counts], Counter[str]]) -> Reading:
        rows: list[Row] = [
            ((task, topic), count)
            for task, each in counters
            for counts in (each.committed, each.folded)
            for topic, count in sorted(value(counts).copy().items())
        ]
        return made.rows(name, "counter", said, ("task", "topic"), rows)

    def by_task(name: str, said: str, value: Callable[[Counts], int]) -> Reading:
        return made.rows(name, "counter", said, ("task",), [((t,), value(each.committed)) for t, each in counters])

    yield by_topic("records", "Records whose effects are committed.", lambda counts: counts.records)
    yield by_topic("record_bytes", "Bytes of the values of these records.", lambda counts: counts.value_bytes)
    yield by_task("produced_records", "Records that steps wrote, changelogs not included.", lambda c: c.produced)
    yield by_task("late_records", "Records that came after their windows had closed.", lambda c: c.late)
    yield by_task("skipped_records", "Records or outputs that were left out, as a handler said.", lambda c: c.skipped)
    yield by_task("dead_letters", "Records that went to the topic of dead letters.", lambda c: c.dead_letters)
    yield made.rows(
        "record_latency_seconds",
        "histogram",
        "Time from a record's own time to the commit of its effects, of the first record of each run.",
        ("task",),
        [((task,), distribution(each.latency_seconds)) for task, each in counters],
    )


def _restoring(made: Readings, counters: list[tuple[str, TaskCounters]], view: View | None) -> Iterator[Reading]:
    left = [((task,), each.restore_left) for task, each in counters]
    restored: list[Row] = [((task,), each.restored) for task, each in counters]
    yield made.rows("restored_records", "counter", "Records that state was caught up with.", ("task",), restored)
    yield made.rows(
        "restore_remaining_records",
        "gauge",
        "Offsets left to restore.",
        ("task",),
        [(labels, count or 0) for labels, count in left],
    )
    restoring = {task for (task,), count in left if count is not None}
    here = set() if view is None else {task.name for task in list(view.tasks())}
    states: list[Row] = [(("restoring",), len(restoring)), (("running",), len(here - restoring))]
    yield made.rows("tasks", "gauge", "Tasks that are here, by state.", ("state",), states)


def _operators(made: Readings, counters: list[tuple[str, TaskCounters]]) -> Iterator[Reading]:
    counted = [(task, each.operators) for task, each in counters if each.operators is not None]
    if not counted:
        return
    records: Counter[tuple[str, ...]] = Counter()
    errors: Counter[tuple[str, ...]] = Counter()
    for task, operators in counted:
        # Steps may have the same name.
        for name, count, failed in zip(operators.names, operators.records, operators.errors, strict=True):
            records[task, name] += count
            errors[task, name] += failed
    labels = ("task", "operator")
    yield made.rows("operator_records", "counter", "Records that came to the step.", labels, list(records.items()))
    yield made.rows("operator_errors", "counter", "Records that the step failed on.", labels, list(errors.items()))


def _state(made: Readings, view: View) -> Iterator[Reading]:
    lags: list[Row] = sorted(view.lags().items())
    description = "Offsets after the last record that was processed, as the last fetch knows them."
    yield made.rows("lag_records", "gauge", description, ("task", "topic"), lags)
    sizes = [(task.name, task.state_size()) for task in list(view.tasks())]
    sizes = [*sizes, (GLOBAL, view.global_state().size())]
    entries: list[Row] = [((task,), size.entries) for task, size in sizes if size is not None]
    on_disk: list[Row] = [((t,), s.live_bytes) for t, s in sizes if s is not None and s.live_bytes is not None]
    yield made.rows("store_entries", "gauge", "Entries of all stores of the task, estimated.", ("task",), entries)
    yield made.rows("store_live_bytes", "gauge", "Bytes that they take on disk, estimated.", ("task",), on_disk)

    def by_store(name: str, said: str, value: Callable[[Store[object]], int]) -> Reading:
        stores = [(task, store) for task in list(view.tasks()) for store in task.stores()]
        return made.rows(
            name, "gauge", said, ("task", "store"), [((task.name, s.name), value(s)) for task, s in stores]
        )

    unwritten = "Changes in memory that are not on disk yet."
    yield by_store("store_unwritten_entries", unwritten, lambda store: store.unwritten_count)
    yield by_store("store_cached_entries", "Values that are kept in memory.", lambda store: store.cached_count)
