"""Produce (API key 0), versions 3-11, advertised from 0.

acks=1 and acks=all are the same: the reply waits until the batches are durable. acks=0 has no reply.
Version 8 adds record_errors (KIP-467), version 10 the current leader (KIP-951), which never changes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.append import Append
from tailrace.broker.call import Call, Reply, Response
from tailrace.broker.log.producers import Duplicate
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.wire.compression import Compression
from tailrace.wire.record_batch import (
    NO_PRODUCER_ID,
    BatchHeader,
    CorruptBatch,
    check_batch,
    records_without_key,
    with_append_time,
)

if TYPE_CHECKING:
    from kio.schema.produce.v11.request import ProduceRequest

NO_TIMESTAMP = -1


class Refused:
    """Why a batch is not appended; `records` are the indexes of the records at fault."""

    def __init__(self, error: ErrorCode, message: str | None = None, records: list[int] | None = None) -> None:
        self.error = error
        self.message = message
        self.records = records or []


def handle(request: ProduceRequest, call: Call) -> Reply:
    """Append one batch to each partition."""
    if request.acks not in (-1, 0, 1):
        return _respond(request, {}, Refused(ErrorCode.invalid_required_acks))
    transactional_id = request.transactional_id
    if transactional_id is not None and not call.allows(
        Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id
    ):
        return _respond(request, {}, Refused(ErrorCode.transactional_id_authorization_failed))
    outcomes: dict[tuple[str, int], Append | Duplicate | Refused] = {}
    for topic_data in request.topic_data:
        may_write = call.allows(Operation.WRITE, ResourceType.TOPIC, topic_data.name)
        for data in topic_data.partition_data:
            key = topic_data.name, data.index
            if key in outcomes:
                outcomes[key] = Refused(ErrorCode.invalid_request, "a partition is named more than once")
            elif may_write:
                outcomes[key] = _decide(request, topic_data.name, data, call)
            else:
                outcomes[key] = Refused(ErrorCode.topic_authorization_failed)
    accepted = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Append)}
    offsets = dict(zip(accepted, call.broker.record(accepted.values()), strict=True)) if accepted else {}
    if request.acks == 0:
        return None
    return _respond(request, {key: _describe(key, outcomes[key], offsets, call) for key in outcomes})


def _decide(request: Any, name: str, data: Any, call: Call) -> Append | Duplicate | Refused:
    topic = call.broker.state.topics.by_name(name)
    partition = topic.partition(data.index) if topic else None
    if topic is None or partition is None:
        return Refused(ErrorCode.unknown_topic_or_partition)
    batch: bytes = data.records or b""
    if len(batch) > topic.max_message_bytes:
        message = f"{len(batch):,} bytes, expected at most max.message.bytes={topic.max_message_bytes:,}"
        return Refused(ErrorCode.message_too_large, message)
    try:
        header = check_batch(batch)
        refused = _content_problem(batch, header, topic, call.api_version)
    except CorruptBatch as corrupt:
        return Refused(ErrorCode.corrupt_message, str(corrupt))
    if refused is not None:
        return refused
    if header.producer_id != NO_PRODUCER_ID:
        error = _transaction_problem(request, header, topic, data.index, call)
        if error is not ErrorCode.none:
            return Refused(error)
        verdict = partition.producers.decide(header)
        if isinstance(verdict, ErrorCode):
            return Refused(verdict)
        if verdict is not None:
            return verdict
    if topic.uses_append_time:
        batch = with_append_time(batch, call.broker.now_ms())
    return Append(topic, data.index, batch)


def _content_problem(batch: bytes, header: BatchHeader, topic: Topic, version: int) -> Refused | None:
    if header.is_control:
        return Refused(ErrorCode.invalid_record, "clients must not write control batches")
    if header.compression > Compression.ZSTD:
        return Refused(ErrorCode.unsupported_compression_type)
    if header.compression == Compression.ZSTD and version < 7:
        return Refused(ErrorCode.unsupported_compression_type, "zstd needs Produce version 7")
    if header.producer_id != NO_PRODUCER_ID and (header.base_sequence < 0 or header.producer_epoch < 0):
        return Refused(ErrorCode.invalid_record, "a producer id without epoch and sequence")
    if header.is_transactional and header.producer_id == NO_PRODUCER_ID:
        return Refused(ErrorCode.invalid_record, "a transactional batch without producer id")
    if topic.is_compacted and header.compression == Compression.NONE:
        without_key = records_without_key(batch)
        if without_key:
            return Refused(
                ErrorCode.invalid_record,
                "Compacted topic cannot accept message without key in topic partition",
                without_key,
            )
    return None


def _transaction_problem(request: Any, header: BatchHeader, topic: Topic, index: int, call: Call) -> ErrorCode:
    if not header.is_transactional:
        return ErrorCode.none
    if request.transactional_id is None:
        return ErrorCode.transactional_id_authorization_failed
    producer = ProducerIdentity(header.producer_id, header.producer_epoch)
    return call.broker.transactions.admit_produce(producer, topic.id, index)


def _describe(key: tuple[str, int], outcome: Append | Duplicate | Refused, offsets: Any, call: Call) -> Response:
    if isinstance(outcome, Refused):
        return {
            "index": key[1],
            "error_code": outcome.error,
            "base_offset": -1,
            "log_append_time": NO_TIMESTAMP,
            "log_start_offset": -1,
            "record_errors": [{"batch_index": index} for index in outcome.records],
            "error_message": outcome.message,
        }
    partition = call.broker.state.topics.partition(*key)
    uses_append_time = isinstance(outcome, Append) and outcome.topic.uses_append_time
    return {
        "index": key[1],
        "base_offset": outcome.base_offset if isinstance(outcome, Duplicate) else offsets[key],
        "log_append_time": call.broker.now_ms() if uses_append_time else NO_TIMESTAMP,
        "log_start_offset": partition.log_start_offset if partition else -1,
    }


def _respond(request: Any, answers: dict[tuple[str, int], Response], refused: Refused | None = None) -> Response:
    def answer(name: str, index: int) -> Response:
        if refused is None:
            return answers[name, index]
        return {"index": index, "error_code": refused.error, "base_offset": -1, "log_append_time": NO_TIMESTAMP}

    return {
        "responses": [
            {
                "name": topic.name,
                "partition_responses": [answer(topic.name, data.index) for data in topic.partition_data],
            }
            for topic in request.topic_data
        ]
    }
