"""Produce (API key 0), versions 3-11, advertised from 0.

acks=1 and acks=all are the same: the reply waits until the batches are durable. acks=0 has no reply.
Version 8 adds record_errors (KIP-467), version 10 the current leader (KIP-951), which never changes here, version 11
TRANSACTION_ABORTABLE (KIP-890).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.admission import Refused, examine, timestamped
from tailrace.broker.append import Append
from tailrace.broker.call import Call, CloseConnection, Reply, Response
from tailrace.broker.handlers.end_txn import abortable
from tailrace.broker.log.producers import Duplicate
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic
from tailrace.broker.transactions.coordinator import ProducerIdentity
from tailrace.wire.record_batch import HEADER_BYTES, MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP, BatchHeader, parse_header

if TYPE_CHECKING:
    from tailrace.wire.produce_request import PartitionProduceData, ProduceRequest

ACKS = (-1, 0, 1)
ABORTABLE_SINCE = 11

Outcome = Append | Duplicate | Refused


def handle(request: ProduceRequest, call: Call) -> Reply:
    """Append one batch to each partition."""
    transactional_id = request.transactional_id
    if transactional_id is not None and not call.allows(
        Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id
    ):
        return _respond(request, {}, Refused(ErrorCode.transactional_id_authorization_failed))
    now_ms = call.broker.now_ms()
    outcomes: dict[tuple[str, int], Outcome] = {}
    for topic_data in request.topic_data:
        may_write = call.allows(Operation.WRITE, ResourceType.TOPIC, topic_data.name)
        for data in topic_data.partition_data:
            key = topic_data.name, data.index
            if key in outcomes:
                outcomes[key] = Refused(ErrorCode.invalid_request, "a partition is named more than once")
            elif not may_write:
                outcomes[key] = Refused(_unauthorized(request, data), is_early=True)
            elif request.acks not in ACKS:
                outcomes[key] = Refused(ErrorCode.invalid_required_acks, is_early=True)
            else:
                outcomes[key] = _decide(request, topic_data.name, data, call, now_ms)
    accepted = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Append)}
    offsets = dict(zip(accepted, call.broker.record(accepted.values()), strict=True)) if accepted else {}
    if request.acks == 0:
        _close_if_refused(outcomes)
        return None
    return _respond(request, {key: _describe(key, outcomes[key], offsets, call, now_ms) for key in outcomes})


def _close_if_refused(outcomes: dict[tuple[str, int], Outcome]) -> None:
    """Without a response, the end of the connection is all that tells the producer of an error."""
    for (name, index), outcome in outcomes.items():
        if isinstance(outcome, Refused):
            raise CloseConnection(f"a batch without acks for {name}-{index} was refused: {outcome.error.name}")


def _unauthorized(request: ProduceRequest, data: PartitionProduceData) -> ErrorCode:
    """The error for who must not write to a topic: Kafka has looked at the batch before."""
    batch = data.records or b""
    if len(batch) >= HEADER_BYTES:
        header = parse_header(batch)
        if header.magic > MAGIC:
            return ErrorCode.corrupt_message
        if header.is_transactional and request.transactional_id is None:
            return ErrorCode.transactional_id_authorization_failed
    return ErrorCode.topic_authorization_failed


def _decide(request: ProduceRequest, name: str, data: PartitionProduceData, call: Call, now_ms: int) -> Outcome:
    topic = call.broker.state.topics.by_name(name)
    partition = topic.partition(data.index) if topic else None
    if topic is None or partition is None:
        return Refused(ErrorCode.unknown_topic_or_partition)
    batch = data.records or b""
    header = examine(batch, topic, call.api_version, now_ms)
    if isinstance(header, Refused):
        return header
    if header.producer_id != NO_PRODUCER_ID:
        error = _transaction_problem(request, header, topic, data.index, call)
        if error is not ErrorCode.none:
            return Refused(error, is_early=True)
        verdict = partition.producers.decide(header)
        if isinstance(verdict, ErrorCode):
            return Refused(verdict)
        if verdict is not None:
            return verdict
    return Append(topic, data.index, timestamped(batch, header, topic, now_ms))


def _transaction_problem(
    request: ProduceRequest, header: BatchHeader, topic: Topic, index: int, call: Call
) -> ErrorCode:
    if not header.is_transactional:
        return ErrorCode.none
    if request.transactional_id is None:
        return ErrorCode.transactional_id_authorization_failed
    producer = ProducerIdentity(header.producer_id, header.producer_epoch)
    error = call.broker.transactions.admit_produce(producer, topic.id, index)
    return abortable(error, call.api_version, ABORTABLE_SINCE)


def _describe(key: tuple[str, int], outcome: Outcome, offsets: Any, call: Call, now_ms: int) -> Response:
    partition = call.broker.state.topics.partition(*key)
    log_start_offset = partition.log_start_offset if partition else -1
    if isinstance(outcome, Refused):
        return {
            "index": key[1],
            "error_code": outcome.error,
            "base_offset": -1,
            "log_append_time": NO_TIMESTAMP,
            "log_start_offset": -1 if outcome.is_early else log_start_offset,
            "record_errors": [
                {"batch_index": index, "batch_index_error_message": outcome.message} for index in outcome.records
            ],
            "error_message": outcome.message,
        }
    uses_append_time = isinstance(outcome, Append) and outcome.topic.uses_append_time
    return {
        "index": key[1],
        "base_offset": outcome.base_offset if isinstance(outcome, Duplicate) else offsets[key],
        "log_append_time": now_ms if uses_append_time else NO_TIMESTAMP,
        "log_start_offset": log_start_offset,
    }


def _respond(
    request: ProduceRequest, answers: dict[tuple[str, int], Response], refused: Refused | None = None
) -> Response:
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
