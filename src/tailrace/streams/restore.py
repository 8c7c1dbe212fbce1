"""Restoring: tasks' state is caught up from the topics that it is the fold of."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.client import CatchUp, Record, all_ends, consume, consumer
from tailrace.client import ends as known_ends
from tailrace.streams.estimate import estimate
from tailrace.streams.progress import Source
from tailrace.streams.task import Task

log = structlog.get_logger("tailrace.streams")

BATCH = 5_000
PROGRESS_INTERVAL_S = 5.0
# How long nothing may come while something is still to come.
SILENCE_S = 15.0
# How long the cluster may take to say where topics end.
ENDS_TIMEOUT_S = 30.0
STABLE_TIMEOUT_S = 2.0


def restore(
    tasks: Collection[Task],
    committed: Mapping[Source, int],
    uncommitted: Consumer,
    bootstrap_servers: str,
    application: str,
    stopped: Callable[[], bool],
) -> dict[Source, int]:
    """Fold what the state of `tasks` lacks, to the ends of its topics; return the next offsets.

    The end is where the broker says so, not where the last record should be: transaction markers take offsets too. Of a
    topic that tasks write it is the end of all there is, as a reader of `uncommitted` records is told: a transaction
    may have ended, and the broker not have written its marker here yet, so that readers of committed records do not see
    the last changes. Of a topic that is consumed it is the `committed` offset; what follows is still to be processed.
    It stops early when `stopped`.
    """
    asked = {(t, task.partition) for task in tasks for t in (*task.written, *task.consumed)}
    last = all_ends(uncommitted, asked, ENDS_TIMEOUT_S)
    positions: dict[Source, int] = {}
    for of_source in _apart(tasks):
        ends = {source: last[source] for source, task in of_source.items() if source[0] in task.written}
        # A topic that was made anew may end before.
        ends |= {
            source: min(committed[source], last[source])
            for source, task in of_source.items()
            if source[0] in task.consumed
        }
        folded = _restore(of_source, ends, bootstrap_servers, application, stopped)
        positions |= {source: min(offset, positions.get(source, offset)) for source, offset in folded.items()}
    return positions


def _apart(tasks: Iterable[Task]) -> list[dict[Source, Task]]:
    """Tasks by what they are the fold of; apart where that is the same, as a journal may be a table of others."""
    groups: list[dict[Source, Task]] = []
    for task in tasks:
        sources = {(topic, task.partition): task for topic in task.folded}
        group = next((group for group in groups if group.keys().isdisjoint(sources)), None)
        if group is None:
            groups.append(sources)
        else:
            group |= sources
    return groups


def _restore(
    of_source: Mapping[Source, Task],
    ends: Mapping[Source, int],
    bootstrap_servers: str,
    application: str,
    stopped: Callable[[], bool],
) -> dict[Source, int]:
    positions = {source: task.folded[source[0]] for source, task in of_source.items()}
    if not positions:
        return positions
    reader = _new_reader(bootstrap_servers, application)
    begun, count = time.monotonic(), 0
    told = heard = begun
    try:
        progress = CatchUp(reader, positions, ends=ends)
        total = _tell_tasks(of_source, progress, positions)
        _read_on(reader, progress, positions)
        while progress.behind and not stopped():
            records = consume(reader, BATCH, 0.05)
            count += _fold(records, of_source, ends, progress, positions)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                # It may wait for a transaction to end; but one whose broker was killed once stood still for minutes.
                heard = time.monotonic()
                log.warning(
                    "nothing comes to restore, reading on anew",
                    application=application,
                    transactions_open_in=_held_up(reader, progress),
                )
                _close(reader)
                reader = _new_reader(bootstrap_servers, application)
                _read_on(reader, progress, positions)
            left = _tell_tasks(of_source, progress, positions)
            if time.monotonic() - told > PROGRESS_INTERVAL_S:
                told = time.monotonic()
                _log_progress(application, count, total - left, left, told - begun, progress.behind)
    finally:
        _close(reader)
        for task in of_source.values():
            task.counters.restore_left = None
    for task in of_source.values():
        task.write()
    if count:
        seconds = time.monotonic() - begun
        log.info("restored", application=application, records=count, seconds=round(seconds, 2))
    return positions


def _held_up(reader: Consumer, progress: CatchUp) -> list[str]:
    """The partitions of which the reader is not shown the rest yet, since transactions are open there."""
    stable = known_ends(reader, progress.behind, STABLE_TIMEOUT_S)
    return [
        f"{topic}-{partition}"
        for (topic, partition), end in sorted(stable.items())
        if end < progress.ends[topic, partition]
    ]


def _new_reader(bootstrap_servers: str, application: str) -> Consumer:
    return consumer(bootstrap_servers, f"{application}-restore", enable_partition_eof=True, fetch_wait_max_ms=100)


def _read_on(reader: Consumer, progress: CatchUp, positions: Mapping[Source, int]) -> None:
    reader.assign([TopicPartition(*source, positions[source] or OFFSET_BEGINNING) for source in progress.behind])


def _tell_tasks(of_source: Mapping[Source, Task], progress: CatchUp, positions: Mapping[Source, int]) -> int:
    """Note in the counters of each task what is left to restore; give the sum."""
    left = dict.fromkeys(of_source.values(), 0)
    for source in progress.behind:
        left[of_source[source]] += max(0, progress.ends[source] - positions[source])
    for task, count in left.items():
        task.counters.restore_left = count
    return sum(left.values())


def _log_progress(
    application: str, records: int, passed: int, left: int, seconds: float, behind: Collection[Source]
) -> None:
    expected = estimate(records, passed, left, seconds)
    log.info(
        "restoring",
        application=application,
        records=records,
        of=expected.of,
        partitions_left=len(behind),
        such_as=[f"{topic}-{partition}" for topic, partition in sorted(behind)[:3]],
        records_per_second=expected.records_per_second,
        seconds_left=expected.seconds_left,
    )


def _fold(
    records: list[Record],
    of_source: Mapping[Source, Task],
    ends: Mapping[Source, int],
    progress: CatchUp,
    positions: dict[Source, int],
) -> int:
    runs: dict[Source, list[Record]] = {}
    for record in records:
        source = (record.topic(), record.partition())
        progress.note(record)
        error = record.error()
        if error is None:
            if source not in ends or record.offset() < ends[source]:
                runs.setdefault(source, []).append(record)
        elif error.code() == KafkaError._PARTITION_EOF:
            positions[source] = max(positions[source], record.offset())
        elif error.fatal():
            raise KafkaException(error)
    for source, run in runs.items():
        of_source[source].restore(source[0], run)
        of_source[source].counters.restored += len(run)
        positions[source] = max(positions[source], run[-1].offset() + 1)
    return sum(map(len, runs.values()))


def _close(reader: Consumer) -> None:
    reader.unassign()
    reader.close()
