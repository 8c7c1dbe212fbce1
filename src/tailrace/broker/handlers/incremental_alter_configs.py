"""IncrementalAlterConfigs (API key 44), versions 0-1 (KIP-339)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.config_changes import APPEND, DELETE, SET, SUBTRACT, answer_each
from tailrace.broker.events import GroupConfigured, TopicConfigured
from tailrace.broker.groups import configs as group_configs
from tailrace.broker.handlers.describe_configs import BROKER, TOPIC, authorization_problem
from tailrace.broker.security.acls import Operation
from tailrace.broker.topic_configs import DEFINITIONS, ConfigType, problem
from tailrace.broker.topics import is_legal_name

if TYPE_CHECKING:
    from kio.schema.incremental_alter_configs.v1.request import IncrementalAlterConfigsRequest

Change = Callable[[dict[str, str], Any], dict[str, str | None]]


def handle(request: IncrementalAlterConfigsRequest, call: Call) -> Response:
    """Set, delete, append to and subtract from single configurations."""

    def edit(present: dict[str, str], resource: Any) -> dict[str, str | None]:
        return _changed(present, resource, call.broker.state.topics.defaults)

    def change(resource: Any) -> Response:
        return alter(resource, call, edit, validate_only=request.validate_only)

    return {"responses": answer_each(request.resources, change)}


def alter(resource: Any, call: Call, change: Change, *, validate_only: bool) -> Response:
    """Change the configurations of a topic or a group if the result is valid."""
    named = {"resource_type": resource.resource_type, "resource_name": resource.resource_name}
    if not _is_alterable(resource):
        message = "only topics and groups can be configured while the broker runs; restart it with other options"
        return named | {"error_code": ErrorCode.invalid_request, "error_message": message}
    error = authorization_problem(resource, Operation.ALTER_CONFIGS, call)
    if error is not ErrorCode.none:
        return named | {"error_code": error}
    if resource.resource_type == group_configs.RESOURCE_TYPE:
        return {**named, **_alter_group(resource, call, change, validate_only=validate_only)}
    if resource.resource_type == BROKER:
        return named  # nothing of the broker is set while it runs, so there is nothing to delete
    topic = call.broker.state.topics.by_name(resource.resource_name)
    if topic is None:
        return named | {"error_code": _missing(resource.resource_name)}
    configs = change(topic.configs, resource)
    wrong = problem(configs, call.broker.state.topics.defaults)
    if wrong is not None:
        return named | {"error_code": ErrorCode.invalid_config, "error_message": wrong}
    if not validate_only:
        valid = {name: value for name, value in configs.items() if value is not None}
        call.broker.record(events=[TopicConfigured(topic.id, valid)])
    return named


def _is_alterable(resource: Any) -> bool:
    """Whether such a thing can be asked at all; of the broker only to delete what is not set."""
    if resource.resource_type == BROKER:
        return all(getattr(config, "config_operation", SET) == DELETE for config in resource.configs)
    return resource.resource_type in (TOPIC, group_configs.RESOURCE_TYPE)


def _missing(name: str) -> ErrorCode:
    if not name:
        return ErrorCode.invalid_request  # it would mean the defaults of all topics, which Kafka does not have
    return ErrorCode.unknown_topic_or_partition if is_legal_name(name) else ErrorCode.invalid_topic_exception


def _alter_group(resource: Any, call: Call, change: Change, *, validate_only: bool) -> Response:
    """Configure a group, which need not exist yet."""
    group_id = resource.resource_name
    if not group_id:
        message = "Default group resources are not allowed."
        return {"error_code": ErrorCode.invalid_request, "error_message": message}
    configs = change(call.broker.state.group_configs.get(group_id, {}), resource)
    wrong = group_configs.problem(configs, call.broker.config)
    if wrong is not None:
        return {"error_code": ErrorCode.invalid_config, "error_message": wrong}
    if not validate_only:
        valid = {name: value for name, value in configs.items() if value is not None}
        call.broker.record(events=[GroupConfigured(group_id, valid)])
    return {}


def _changed(present: dict[str, str], resource: Any, defaults: Mapping[str, str]) -> dict[str, str | None]:
    configs: dict[str, str | None] = dict(present)
    for config in resource.configs:
        name, operation = config.name, config.config_operation
        if operation == DELETE:
            configs.pop(name, None)
        elif operation == SET:
            configs[name] = config.value
        else:
            configs[name] = _changed_list(name, {**defaults, **configs}, config.value or "", operation)
    return configs


def _changed_list(name: str, configs: Mapping[str, str | None], value: str, operation: int) -> str | None:
    definition = DEFINITIONS.get(name)
    if definition is None or definition.config_type != ConfigType.LIST or operation not in (APPEND, SUBTRACT):
        return None
    items = [item for item in (configs[name] or "").split(",") if item]
    given = [item for item in value.split(",") if item]
    if operation == APPEND:
        items += (item for item in given if item not in items)
    else:
        items = [item for item in items if item not in given]
    return ",".join(items)
