"""Fetch (API key 1), versions 4-17.

No fetch sessions: every request names all its partitions, which session id 0 in the reply says (KIP-227).
Version 13 names topics by id (KIP-516).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Reader
from tailrace.broker.call import Call, Reply, Response
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.topics import Topic

if TYPE_CHECKING:
    from kio.schema.fetch.v17.request import FetchRequest

READ_COMMITTED = 1
NO_SESSION_EPOCHS = (-1, 0)


@dataclass(slots=True)
class Wanted:
    """One partition of a request, and its log if it exists."""

    entry: Any
    log: PartitionLog | None
    error: ErrorCode


def handle(request: FetchRequest, call: Call) -> Reply | Awaitable[Reply]:
    """Read records, waiting for some when there are too few."""
    if getattr(request, "session_id", 0) != 0:
        return {"error_code": ErrorCode.fetch_session_id_not_found}
    topics = [_find(topic, call) for topic in request.topics]
    max_wait_s = request.max_wait / timedelta(seconds=1)
    if answer := _enough(request, call, topics):
        return answer
    return _wait(request, call, topics, max_wait_s) if max_wait_s > 0 else _read(request, call, topics)[0]


def _find(topic_request: Any, call: Call) -> tuple[Any, list[Wanted]]:
    topics = call.broker.state.topics
    topic: Topic | None
    if call.api_version >= 13:
        topic = topics.by_id(topic_request.topic_id.bytes) if topic_request.topic_id else None
        missing = ErrorCode.unknown_topic_id
    else:
        topic = topics.by_name(topic_request.topic)
        missing = ErrorCode.unknown_topic_or_partition
    wanted = []
    for entry in topic_request.partitions:
        log = topic.partition(entry.partition) if topic else None
        if log is None:
            error = missing if topic is None else ErrorCode.unknown_topic_or_partition
        else:
            error = _problem(entry, log, call)
        wanted.append(Wanted(entry, log, error))
    return topic_request, wanted


def _problem(entry: Any, log: PartitionLog, call: Call) -> ErrorCode:
    epoch = getattr(entry, "current_leader_epoch", -1)
    if epoch >= 0 and epoch != call.broker.state.leader_epoch:
        is_old = epoch < call.broker.state.leader_epoch
        return ErrorCode.fenced_leader_epoch if is_old else ErrorCode.unknown_leader_epoch
    if not log.log_start_offset <= entry.fetch_offset <= log.high_watermark:
        return ErrorCode.offset_out_of_range
    return ErrorCode.none


def _enough(request: FetchRequest, call: Call, topics: list[tuple[Any, list[Wanted]]]) -> Response | None:
    """The answer when there are errors or enough to read; most of the time there is nothing, which is seen quickly."""
    has_error = any(wanted.error is not ErrorCode.none for _, partitions in topics for wanted in partitions)
    if not has_error and request.min_bytes > 0 and not _has_more(topics, request.isolation_level):
        return None
    answer, size = _read(request, call, topics)
    return answer if has_error or size >= request.min_bytes else None


def _has_more(topics: list[tuple[Any, list[Wanted]]], isolation_level: int) -> bool:
    return any(
        wanted.log is not None and wanted.entry.fetch_offset < _limit(wanted.log, isolation_level)
        for _, partitions in topics
        for wanted in partitions
    )


def _limit(log: PartitionLog, isolation_level: int) -> int:
    return log.last_stable_offset if isolation_level == READ_COMMITTED else log.high_watermark


async def _wait(request: FetchRequest, call: Call, topics: list[tuple[Any, list[Wanted]]], max_wait_s: float) -> Reply:
    """Read again whenever one of the logs has more, until there is enough or the time is over."""
    logs = [wanted.log for _, partitions in topics for wanted in partitions if wanted.log is not None]
    reader = Reader(committed_only=request.isolation_level == READ_COMMITTED)
    call.broker.watch(logs, reader)
    try:
        async with asyncio.timeout(max_wait_s):
            while True:
                await reader.changed.wait()
                reader.changed.clear()
                found = [_find(topic, call) for topic in request.topics]
                if answer := _enough(request, call, found):
                    return answer
    except TimeoutError:
        return _read(request, call, topics)[0]
    finally:
        call.broker.unwatch(logs, reader)


def _read(request: FetchRequest, call: Call, topics: list[tuple[Any, list[Wanted]]]) -> tuple[Response, int]:
    """The answer and the bytes of records in it."""
    left = int(request.max_bytes)
    total = 0
    responses = []
    for topic_request, partitions in topics:
        answers = []
        for wanted in partitions:
            records, answer = _read_partition(wanted, request.isolation_level, left, at_least_one=total == 0)
            total += len(records)
            left -= len(records)
            answers.append(answer)
        named = {"topic_id": topic_request.topic_id} if call.api_version >= 13 else {"topic": topic_request.topic}
        responses.append(named | {"partitions": answers})
    return {"responses": responses}, total


def _read_partition(
    wanted: Wanted, isolation_level: int, max_bytes: int, *, at_least_one: bool
) -> tuple[bytes, Response]:
    entry, log = wanted.entry, wanted.log
    if log is None or wanted.error is not ErrorCode.none:
        refused = {
            "partition_index": entry.partition,
            "error_code": wanted.error,
            "high_watermark": -1,
            "records": b"",
        }
        return b"", refused
    limit = _limit(log, isolation_level)
    max_bytes = min(max_bytes, entry.partition_max_bytes)
    records = b""
    if max_bytes > 0 or at_least_one:
        records = log.read(entry.fetch_offset, limit, max_bytes, at_least_one=at_least_one)
    answer: dict[str, Any] = {
        "partition_index": entry.partition,
        "high_watermark": log.high_watermark,
        "last_stable_offset": log.last_stable_offset,
        "log_start_offset": log.log_start_offset,
        "records": records,
    }
    if isolation_level == READ_COMMITTED and records:
        answer["aborted_transactions"] = [
            {"producer_id": aborted.producer_id, "first_offset": aborted.first_offset}
            for aborted in log.producers.aborted_between(entry.fetch_offset, limit)
        ]
    return records, answer
