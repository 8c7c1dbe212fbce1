"""CreateTopics (API key 19), versions 2-7.

-1 for partitions or replicas means the default (KIP-464). Version 5 answers with the configuration, 7 with the id.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.call import Call, Response
from tailrace.broker.config import BrokerConfig
from tailrace.broker.events import TopicCreated
from tailrace.broker.handlers.describe_configs import describe_topic_configs
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topic_configs import problem
from tailrace.broker.topics import Topic, is_legal_name

if TYPE_CHECKING:
    from kio.schema.create_topics.v7.request import CreateTopicsRequest

PARTITIONS_MAX = 100_000


def handle(request: CreateTopicsRequest, call: Call) -> Response:
    """Create topics, each by itself."""
    names = Counter(wanted.name for wanted in request.topics)
    repeated = [
        _refused(name, ErrorCode.invalid_request, f"topic {name} is named more than once")
        for name, count in names.items()
        if count > 1
    ]
    single = [wanted for wanted in request.topics if names[wanted.name] == 1]
    return {"topics": repeated + [_create(wanted, call, validate_only=request.validate_only) for wanted in single]}


def create_with_defaults(broker: Broker, name: str) -> Topic:
    """Create a topic that somebody uses without having created it."""
    return _record(broker, name, broker.config.num_partitions, {})


def _create(wanted: Any, call: Call, *, validate_only: bool) -> Response:
    if not (
        call.allows(Operation.CREATE, ResourceType.CLUSTER)
        or call.allows(Operation.CREATE, ResourceType.TOPIC, wanted.name)
    ):
        return _refused(wanted.name, ErrorCode.topic_authorization_failed, "Authorization failed.")
    configs = {config.name: config.value for config in wanted.configs}
    count = _partition_count(wanted, call.broker.config)
    error, message = _problem(wanted, call.broker, count, configs)
    if error is not ErrorCode.none:
        return _refused(wanted.name, error, message)
    answer: dict[str, Any] = {"name": wanted.name, "num_partitions": count, "replication_factor": 1}
    topic_id = uuid4() if validate_only else _record(call.broker, wanted.name, count, configs).uuid
    if not call.allows(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, wanted.name):
        unknown = {"num_partitions": -1, "replication_factor": -1, "configs": None}
        return answer | unknown | {"topic_config_error_code": ErrorCode.topic_authorization_failed}
    return answer | {
        "topic_id": topic_id,
        "configs": describe_topic_configs(configs, call.broker.state.topics.defaults),
    }


def _refused(name: str, error: ErrorCode, message: str) -> Response:
    return {
        "name": name,
        "error_code": error,
        "error_message": message,
        "num_partitions": -1,
        "replication_factor": -1,
    }


def _partition_count(wanted: Any, config: BrokerConfig) -> int:
    if wanted.assignments:
        return len(wanted.assignments)
    return config.num_partitions if wanted.num_partitions == -1 else int(wanted.num_partitions)


def _problem(wanted: Any, broker: Broker, count: int, configs: dict[str, str | None]) -> tuple[ErrorCode, str]:
    name = wanted.name
    if not is_legal_name(name):
        return ErrorCode.invalid_topic_exception, f"topic name {name!r} must be 1 to 249 of a-z, A-Z, 0-9, . _ -"
    if broker.state.topics.by_name(name) is not None:
        return ErrorCode.topic_already_exists, f"Topic '{name}' already exists."
    alike = broker.state.topics.colliding_name(name)
    if alike is not None:
        message = f"Topic '{name}' collides with existing topic: {alike}; metrics cannot tell a dot from an underscore"
        return ErrorCode.invalid_topic_exception, message
    if wanted.assignments and (wanted.num_partitions != -1 or wanted.replication_factor != -1):
        return ErrorCode.invalid_request, "partitions and replication factor must be -1 beside an assignment"
    if not 1 <= count <= PARTITIONS_MAX:
        return ErrorCode.invalid_partitions, f"{count} partitions, expected 1 to {PARTITIONS_MAX:,}"
    if wanted.assignments:
        return _assignment_problem(wanted.assignments, broker)
    if wanted.replication_factor not in (-1, 1):
        message = f"replication factor {wanted.replication_factor}, expected 1: there is one broker"
        return ErrorCode.invalid_replication_factor, message
    wrong = problem(configs, broker.state.topics.defaults)
    return (ErrorCode.invalid_config, wrong) if wrong else (ErrorCode.none, "")


def _assignment_problem(assignments: Any, broker: Broker) -> tuple[ErrorCode, str]:
    indexes = sorted(assignment.partition_index for assignment in assignments)
    nodes = [list(assignment.broker_ids) for assignment in assignments]
    if indexes != list(range(len(indexes))) or any(ids != [broker.config.node_id] for ids in nodes):
        message = f"each partition from 0 must be assigned to broker {broker.config.node_id} alone"
        return ErrorCode.invalid_replica_assignment, message
    return ErrorCode.none, ""


def _record(broker: Broker, name: str, count: int, configs: dict[str, Any]) -> Topic:
    broker.record(events=[TopicCreated(name, uuid4().bytes, count, configs)])
    topic = broker.state.topics.by_name(name)
    assert topic is not None
    return topic
