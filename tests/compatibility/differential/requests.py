"""Requests as dictionaries, with the fields that matter; a version takes those that it has."""

from __future__ import annotations

from typing import Any, NamedTuple

from tailrace.wire.record_batch import CONTROL_BIT, TRANSACTIONAL_BIT, Record, encode_batch

Request = dict[str, Any]
TIMESTAMP_MS = 1_700_000_000_000
SESSION_TIMEOUT_MS = 300_000
NO_SUBSCRIPTION = b"\0\0\0\0\0\0\xff\xff\xff\xff"  # version 0, no topic, no user data


class Producer(NamedTuple):
    """A producer's identity; `transactional_id` is empty for one that has none."""

    transactional_id: str
    producer_id: int
    producer_epoch: int


def join(group: str, protocol_type: str = "consumer", member_id: str = "", **others: Any) -> dict[str, Any]:
    return {
        "group_id": group,
        "session_timeout": SESSION_TIMEOUT_MS,
        "rebalance_timeout": SESSION_TIMEOUT_MS,
        "member_id": member_id,
        "protocol_type": protocol_type,
        "protocols": [{"name": "range", "metadata": NO_SUBSCRIPTION}],
    } | others


def add_partitions(producer: Producer, topics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "v3_and_below_transactional_id": producer.transactional_id,
        "v3_and_below_producer_id": producer.producer_id,
        "v3_and_below_producer_epoch": producer.producer_epoch,
        "v3_and_below_topics": topics,
    }


def produce(
    topic: str, records: bytes | None, *, partition: int = 0, producer: Producer | None = None, acks: int = -1
) -> dict[str, Any]:
    data = [{"name": topic, "partition_data": [{"index": partition, "records": records}]}]
    transactional_id = producer.transactional_id if producer else None
    return {"transactional_id": transactional_id, "acks": acks, "timeout": 5000, "topic_data": data}


def batch(
    *values: bytes,
    key: bytes | None = None,
    producer: Producer | None = None,
    sequence: int = 0,
    control: bool = False,
    attributes: int = 0,
) -> bytes:
    """A batch of records; that of a producer is transactional when it has a transactional id."""
    records = [Record(offset, TIMESTAMP_MS + offset, key, value) for offset, value in enumerate(values)]
    attributes |= CONTROL_BIT if control else 0
    if producer is None:
        return encode_batch(records, attributes=attributes)
    if producer.transactional_id:
        attributes |= TRANSACTIONAL_BIT
    return encode_batch(
        records,
        attributes=attributes,
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        base_sequence=sequence,
    )


def subscription(*topics: str) -> bytes:
    """What a consumer tells its group: version 0, topics, no user data."""
    names = b"".join(len(topic).to_bytes(2, "big") + topic.encode() for topic in topics)
    return b"\0\0" + len(topics).to_bytes(4, "big") + names + b"\xff\xff\xff\xff"


def create(*topics: Request, validate_only: bool = False) -> Request:
    defaults = {"num_partitions": 1, "replication_factor": 1}
    return {"topics": [defaults | topic for topic in topics], "timeout": 5000, "validate_only": validate_only}


def create_with(name: str, *configs: tuple[str, str | None]) -> Request:
    entries = [{"name": key, "value": value} for key, value in configs]
    return create({"name": name, "configs": entries})


def assigned(*replicas: tuple[int, list[int]]) -> Request:
    """Part of a topic to create: its replicas by partition."""
    assignments = [{"partition_index": index, "broker_ids": brokers} for index, brokers in replicas]
    return {"num_partitions": -1, "replication_factor": -1, "assignments": assignments}


def delete_topics(*names: str) -> Request:
    return {"topic_names": names, "topics": [{"name": name} for name in names], "timeout": 5000}


def grow(name: str, count: int, assignments: list[list[int]] | None = None, *, validate_only: bool = False) -> Request:
    entries = None if assignments is None else [{"broker_ids": brokers} for brokers in assignments]
    topic = {"name": name, "count": count, "assignments": entries}
    return {"topics": [topic], "timeout": 5000, "validate_only": validate_only}


def describe_partitions(*names: str, limit: int = 2000, cursor: tuple[str, int] | None = None) -> Request:
    start = None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]}
    return {"topics": [{"name": name} for name in names], "response_partition_limit": limit, "cursor": start}


def reassign(name: str, partition: int, replicas: list[int] | None) -> Request:
    entry = {"partition_index": partition, "replicas": replicas}
    return {"timeout": 5000, "topics": [{"name": name, "partitions": [entry]}]}


def delete_records(name: str, partition: int, offset: int) -> Request:
    entry = {"partition_index": partition, "offset": offset}
    return {"topics": [{"name": name, "partitions": [entry]}], "timeout": 5000}


def resource(kind: int, name: str, **fields: Any) -> Request:
    return {"resource_type": kind, "resource_name": name} | fields


def describe_configs(kind: int, name: str, *keys: str) -> Request:
    return {"resources": [resource(kind, name, configuration_keys=keys)], "include_synonyms": True}


def alter(kind: int, name: str, *changes: tuple[str, int, str | None], validate_only: bool = True) -> Request:
    """Change configurations: (name, operation, value)."""
    configs = [{"name": key, "config_operation": operation, "value": value} for key, operation, value in changes]
    return {"resources": [resource(kind, name, configs=configs)], "validate_only": validate_only}


def commit_offset(
    group: str, topic: str, partition: int = 0, *, offset: int = 5, note: str = "", **fields: Any
) -> Request:
    entry = {"partition_index": partition, "committed_offset": offset, "committed_metadata": note}
    member = {"generation_id_or_member_epoch": -1, "generation_id": -1, "member_id": ""}
    return {"group_id": group, "topics": [{"name": topic, "partitions": [entry]}]} | member | fields


def commit_in_transaction(producer: Producer, group: str, topic: str, partition: int = 0, **fields: Any) -> Request:
    return commit_offset(group, topic, partition) | producer._asdict() | fields


def fetch_offsets(group: str, topics: list[Request] | None, *, require_stable: bool = False) -> Request:
    groups = [{"group_id": group, "topics": topics, "member_epoch": -1}]
    return {"group_id": group, "topics": topics, "groups": groups, "require_stable": require_stable}


def partitions_of(topic: str, *indexes: int) -> Request:
    return {"name": topic, "partition_indexes": indexes}


def delete_offsets(group: str, topic: str, partition: int = 0) -> Request:
    return {"group_id": group, "topics": [{"name": topic, "partitions": [{"partition_index": partition}]}]}


def member(group: str, member_id: str, generation_id: int = 1, **fields: Any) -> Request:
    """What Heartbeat and SyncGroup have in common."""
    return {"group_id": group, "generation_id": generation_id, "member_id": member_id} | fields


def leave(group: str, member_id: str, instance_id: str | None = None) -> Request:
    members = [{"member_id": member_id, "group_instance_id": instance_id}]
    return {"group_id": group, "member_id": member_id, "members": members}


def find_coordinator(key_type: int, key: str) -> Request:
    return {"key": key, "coordinator_keys": [key], "key_type": key_type}


def init_producer(
    transactional_id: str | None, timeout_ms: int = 60_000, identity: tuple[int, int] = (-1, -1)
) -> Request:
    producer_id, epoch = identity
    known = {"producer_id": producer_id, "producer_epoch": epoch}
    return {"transactional_id": transactional_id, "transaction_timeout": timeout_ms} | known


def add_to(producer: Producer, topic: str, *partitions: int) -> Request:
    return add_partitions(producer, [{"name": topic, "partitions": partitions}])


def add_group(producer: Producer, group: str) -> Request:
    return producer._asdict() | {"group_id": group}


def end(producer: Producer, *, committed: bool) -> Request:
    return producer._asdict() | {"committed": committed}


def fetch(topic: str, partition: int = 0, offset: int = 0, **fields: Any) -> Request:
    """A fetch by name that does not wait."""
    entry = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20}
    entry |= {key: fields.pop(key) for key in ("current_leader_epoch",) if key in fields}
    topics = [{"topic": topic, "partitions": [entry]}]
    return {"max_wait": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation_level": 0, "topics": topics} | fields


def list_offsets(topic: str, partition: int, timestamp: int, *, committed: bool = False, epoch: int = -1) -> Request:
    entry = {"partition_index": partition, "timestamp": timestamp, "current_leader_epoch": epoch}
    return {"replica_id": -1, "isolation_level": int(committed), "topics": [{"name": topic, "partitions": [entry]}]}


def end_of_epoch(topic: str, partition: int, leader_epoch: int, present: int = -1) -> Request:
    entry = {"partition": partition, "leader_epoch": leader_epoch, "current_leader_epoch": present}
    return {"replica_id": -1, "topics": [{"topic": topic, "partitions": [entry]}]}


def metadata(*names: str | None, may_create: bool = False) -> Request:
    return {"topics": [{"name": name} for name in names], "allow_auto_topic_creation": may_create}
