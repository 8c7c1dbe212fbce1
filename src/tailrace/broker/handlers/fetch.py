"""Fetch (API key 1), versions 4-17.

No fetch sessions: every request names all its partitions, which session id 0 in the reply says (KIP-227).
Version 13 names topics by id (KIP-516).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Reader
from tailrace.broker.call import Call, Reply
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.wire.encoding import Parts
from tailrace.wire.fetch_response import TOPIC_IDS_SINCE, FetchedPartition, encode_fetch_response

if TYPE_CHECKING:
    from kio.schema.fetch.v17.request import FetchRequest

READ_COMMITTED = 1
NO_SESSION, NEW_SESSION = -1, 0  # session epochs of a request that names all its partitions


class Wanted(NamedTuple):
    """One partition of a request, and its log if it exists."""

    entry: Any
    log: PartitionLog | None
    error: ErrorCode


WantedTopics = list[tuple[str | UUID, list[Wanted]]]


def handle(request: FetchRequest, call: Call) -> Reply | Awaitable[Reply]:
    """Read records, waiting for some when there are too few."""
    if getattr(request, "session_epoch", NO_SESSION) not in (NO_SESSION, NEW_SESSION):
        return {"error_code": ErrorCode.fetch_session_id_not_found}
    topics = _find(request, call)
    max_wait_s = request.max_wait / timedelta(seconds=1)
    if answer := _enough(request, call, topics):
        return answer
    return LongPoll(request, call, topics, max_wait_s).answer if max_wait_s > 0 else _read(request, call, topics)[0]


def _find(request: FetchRequest, call: Call) -> WantedTopics:
    found: WantedTopics = []
    for asked in request.topics:
        if call.api_version >= TOPIC_IDS_SINCE:
            name: str | UUID = asked.topic_id or UUID(int=0)
            topic = call.broker.state.topics.by_id(asked.topic_id.bytes) if asked.topic_id else None
            missing = ErrorCode.unknown_topic_id
        else:
            older: Any = asked
            name = older.topic
            topic = call.broker.state.topics.by_name(older.topic)
            missing = ErrorCode.unknown_topic_or_partition
        asked_name = topic.name if topic is not None else name
        if isinstance(asked_name, str) and not call.allows(Operation.READ, ResourceType.TOPIC, asked_name):
            topic, missing = None, ErrorCode.topic_authorization_failed
        wanted = []
        for entry in asked.partitions:
            log = topic.partition(entry.partition) if topic else None
            if log is None:
                error = missing if topic is None else ErrorCode.unknown_topic_or_partition
            else:
                error = _problem(entry, log, call)
            wanted.append(Wanted(entry, log, error))
        found.append((name, wanted))
    return found


def _problem(entry: Any, log: PartitionLog, call: Call) -> ErrorCode:
    epoch = getattr(entry, "current_leader_epoch", -1)
    if epoch >= 0 and epoch != call.broker.state.leader_epoch:
        is_old = epoch < call.broker.state.leader_epoch
        return ErrorCode.fenced_leader_epoch if is_old else ErrorCode.unknown_leader_epoch
    if not log.log_start_offset <= entry.fetch_offset <= log.high_watermark:
        return ErrorCode.offset_out_of_range
    return ErrorCode.none


def _enough(request: FetchRequest, call: Call, topics: WantedTopics) -> Parts | None:
    """The answer when there are errors or enough to read; most of the time there is nothing, which is seen quickly."""
    has_error = any(wanted.error is not ErrorCode.none for _, partitions in topics for wanted in partitions)
    if not has_error and request.min_bytes > 0 and not _has_more(topics, request.isolation_level):
        return None
    answer, size = _read(request, call, topics)
    return answer if has_error or size >= request.min_bytes else None


def _has_more(topics: WantedTopics, isolation_level: int) -> bool:
    return any(
        log is not None and entry.fetch_offset < _limit(log, isolation_level)
        for _, partitions in topics
        for entry, log, _ in partitions
    )


def _limit(log: PartitionLog, isolation_level: int) -> int:
    return log.last_stable_offset if isolation_level == READ_COMMITTED else log.high_watermark


class LongPoll(Reader):
    """A request that waits; `answer` comes when there is enough to read, or when the time is over."""

    def __init__(self, request: FetchRequest, call: Call, topics: WantedTopics, max_wait_s: float) -> None:
        super().__init__(committed_only=request.isolation_level == READ_COMMITTED)
        loop = call.broker.loop
        self.answer: asyncio.Future[Reply] = loop.create_future()
        self._request = request
        self._call = call
        self._topics = topics
        self._logs = [wanted.log for _, partitions in topics for wanted in partitions if wanted.log is not None]
        self._timer = loop.call_later(max_wait_s, self._give_up)
        call.broker.watch(self._logs, self)

    def look(self) -> None:
        """Answer when there is enough now."""
        self.is_called = False
        if not self.answer.done():
            self._try(lambda: _enough(self._request, self._call, _find(self._request, self._call)))

    def _give_up(self) -> None:
        self._try(lambda: _read(self._request, self._call, self._topics)[0])

    def _try(self, read: Callable[[], Parts | None]) -> None:
        """End with what can be read, or with what went wrong; go on when that is nothing yet."""
        try:
            answer = read()
        except Exception as error:
            self._end()
            self.answer.set_exception(error)
            return
        if answer:
            self._end()
            self.answer.set_result(answer)

    def _end(self) -> None:
        self._timer.cancel()
        self._call.broker.unwatch(self._logs, self)


def _read(request: FetchRequest, call: Call, topics: WantedTopics) -> tuple[Parts, int]:
    """The answer and the bytes of records in it."""
    left = min(int(request.max_bytes), call.broker.config.fetch_max_bytes)
    total = 0
    fetched = []
    for name, partitions in topics:
        answers = []
        for wanted in partitions:
            answer = _read_partition(wanted, request.isolation_level, left, at_least_one=total == 0)
            total += len(answer.records)
            left -= len(answer.records)
            answers.append(answer)
        fetched.append((name, answers))
    return encode_fetch_response(call.api_version, call.correlation_id, fetched), total


def _read_partition(wanted: Wanted, isolation_level: int, max_bytes: int, *, at_least_one: bool) -> FetchedPartition:
    entry, log, error = wanted
    if log is None or error is not ErrorCode.none:
        return FetchedPartition(entry.partition, error)
    offset, limit = entry.fetch_offset, _limit(log, isolation_level)
    max_bytes = min(max_bytes, entry.partition_max_bytes)
    records, aborted = b"", None
    if offset < limit and (max_bytes > 0 or at_least_one):
        records = log.read(offset, limit, max_bytes, at_least_one=at_least_one)
        if isolation_level == READ_COMMITTED:
            between = log.producers.aborted_between(offset, limit)
            aborted = [(transaction.producer_id, transaction.first_offset) for transaction in between]
    return FetchedPartition(
        entry.partition,
        0,
        log.high_watermark,
        log.last_stable_offset,
        log.log_start_offset,
        aborted,
        records,
    )
