"""DescribeConfigs (API key 32), versions 1-4, for topics, groups and the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.config import BrokerConfig
from tailrace.broker.groups import configs as group_configs
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topic_config_descriptions import DESCRIPTIONS
from tailrace.broker.topic_configs import DEFINITIONS, ConfigType
from tailrace.broker.topics import is_legal_name

if TYPE_CHECKING:
    from kio.schema.describe_configs.v4.request import DescribeConfigsRequest

TOPIC, BROKER = 2, 4
KNOWN_TYPES = (TOPIC, BROKER, group_configs.RESOURCE_TYPE)
KAFKAS_OTHER_TYPES = (8, 16)  # loggers of a broker, metrics of clients
WITHOUT_DEFAULT = ("log.dirs", "node.id")
SET_ON_TOPIC, SET_AT_START, DEFAULT = 1, 4, 5  # sources of a value


def handle(request: DescribeConfigsRequest, call: Call) -> Response:
    """Describe what is configured and what is the default."""
    results = [_describe(resource, call) for resource in request.resources]
    return {"results": [result | {"configs": _as_asked(result.get("configs", ()), request)} for result in results]}


def _as_asked(configs: Iterable[Response], request: DescribeConfigsRequest) -> list[dict[str, Any]]:
    """With synonyms and documentation only where the request asks for them."""
    asked = [dict(config) for config in configs]
    for config in asked:
        if not request.include_synonyms:
            config["synonyms"] = ()
        if getattr(request, "include_documentation", False) and config["name"] in DESCRIPTIONS:
            config["documentation"] = DESCRIPTIONS[config["name"]].documentation
    return asked


def _describe(resource: Any, call: Call) -> dict[str, Any]:
    named = {"resource_type": resource.resource_type, "resource_name": resource.resource_name}
    is_known = resource.resource_type in KNOWN_TYPES
    if is_known or resource.resource_type in KAFKAS_OTHER_TYPES:
        error = authorization_problem(resource, Operation.DESCRIBE_CONFIGS, call)
        if error is not ErrorCode.none:
            return named | {"error_code": error}
    if not is_known:
        message = f"resource type {resource.resource_type}, expected one of {KNOWN_TYPES}: topic, broker, group"
        return named | {"error_code": ErrorCode.invalid_request, "error_message": message}
    if resource.resource_type == TOPIC:
        topic = call.broker.state.topics.by_name(resource.resource_name)
        if topic is None:
            is_legal = is_legal_name(resource.resource_name)
            missing = ErrorCode.unknown_topic_or_partition if is_legal else ErrorCode.invalid_topic_exception
            return named | {"error_code": missing}
        configs = describe_topic_configs(topic.configs, call.broker.state.topics.defaults)
    elif resource.resource_type == BROKER:
        if resource.resource_name not in ("", str(call.broker.config.node_id)):
            message = f"broker {resource.resource_name!r}, expected {call.broker.config.node_id}"
            return named | {"error_code": ErrorCode.invalid_request, "error_message": message}
        # Without a name the defaults of all brokers are meant that were set while they run, of which there are none.
        configs = _describe_broker(call.broker.config) if resource.resource_name else []
    elif resource.resource_type == group_configs.RESOURCE_TYPE:
        if not resource.resource_name:
            message = "Default group resources are not allowed."
            return named | {"error_code": ErrorCode.invalid_request, "error_message": message}
        present = call.broker.state.group_configs.get(resource.resource_name, {})
        configs = list(group_configs.describe(present, call.broker.config))
    wanted = resource.configuration_keys
    if wanted:
        configs = [config for config in configs if config["name"] in wanted]
    return named | {"configs": configs}


def authorization_problem(resource: Any, operation: Operation, call: Call) -> ErrorCode:
    """Whether the client may do something to the configurations of a resource."""
    if resource.resource_type == TOPIC:
        may = call.allows(operation, ResourceType.TOPIC, resource.resource_name)
        return ErrorCode.none if may else ErrorCode.topic_authorization_failed
    if resource.resource_type == group_configs.RESOURCE_TYPE:
        may = call.allows(operation, ResourceType.GROUP, resource.resource_name)
        return ErrorCode.none if may else ErrorCode.group_authorization_failed
    may = call.allows(operation, ResourceType.CLUSTER)
    return ErrorCode.none if may else ErrorCode.cluster_authorization_failed


def describe_topic_configs(topic_configs: Mapping[str, str], defaults: Mapping[str, str]) -> list[Response]:
    """All configurations of a topic that has these, as DescribeConfigs and CreateTopics tell them."""
    return [_describe_topic_config(name, topic_configs.get(name), defaults[name]) for name in DEFINITIONS]


def _describe_topic_config(name: str, value: str | None, broker_value: str) -> Response:
    synonyms: list[Response] = [] if value is None else [{"name": name, "value": value, "source": SET_ON_TOPIC}]
    synonyms += _broker_synonyms(name, broker_value)
    source = synonyms[0]["source"] if synonyms else DEFAULT
    return {
        "name": name,
        "value": broker_value if value is None else value,
        "config_source": source,
        "is_default": value is None,
        "config_type": DEFINITIONS[name].config_type,
        "synonyms": synonyms,
    }


def _broker_synonyms(topic_config: str, broker_value: str) -> list[Response]:
    """What the broker's settings say of a topic configuration."""
    description, default = DESCRIPTIONS[topic_config], DEFINITIONS[topic_config].default
    values = []
    if broker_value != default:
        values.append((broker_value, SET_AT_START))
    if description.broker_name is not None and not description.is_null_by_default:
        values.append((default, DEFAULT))
    return [{"name": description.broker_name, "value": value, "source": source} for value, source in values]


def _describe_broker(config: BrokerConfig) -> list[Response]:
    defaults = _broker_values(BrokerConfig())
    return [
        {
            "name": name,
            "value": value,
            "read_only": True,
            "config_source": SET_AT_START,
            "config_type": config_type,
            "synonyms": [
                {"name": name, "value": value, "source": SET_AT_START},
                *([] if name in WITHOUT_DEFAULT else [{"name": name, "value": defaults[name][0], "source": DEFAULT}]),
            ],
        }
        for name, (value, config_type) in _broker_values(config).items()
    ]


def _broker_values(config: BrokerConfig) -> dict[str, tuple[str, int]]:
    """Value and type of what the broker got at its start."""
    return {
        "auto.create.topics.enable": (str(config.auto_create_topics_enable).lower(), ConfigType.BOOLEAN),
        "default.replication.factor": ("1", ConfigType.INT),
        "group.consumer.heartbeat.interval.ms": (str(config.group_consumer_heartbeat_interval_ms), ConfigType.INT),
        "group.consumer.max.size": (str(config.group_consumer_max_size), ConfigType.INT),
        "group.consumer.migration.policy": ("disabled", ConfigType.STRING),
        "group.consumer.session.timeout.ms": (str(config.group_consumer_session_timeout_ms), ConfigType.INT),
        "group.initial.rebalance.delay.ms": (str(config.group_initial_rebalance_delay_ms), ConfigType.INT),
        "group.max.session.timeout.ms": (str(config.group_max_session_timeout_ms), ConfigType.INT),
        "group.min.session.timeout.ms": (str(config.group_min_session_timeout_ms), ConfigType.INT),
        "log.dirs": (str(config.data), ConfigType.LIST),
        "node.id": (str(config.node_id), ConfigType.INT),
        "num.partitions": (str(config.num_partitions), ConfigType.INT),
        "socket.request.max.bytes": (str(config.socket_request_max_bytes), ConfigType.INT),
        "transaction.max.timeout.ms": (str(config.transaction_max_timeout_ms), ConfigType.INT),
        **_topic_defaults(config.topic_defaults),
    }


def _topic_defaults(changed: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    return {
        description.broker_name: (changed.get(name, DEFINITIONS[name].default), DEFINITIONS[name].config_type)
        for name, description in DESCRIPTIONS.items()
        if description.broker_name is not None
    }
