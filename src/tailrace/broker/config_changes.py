"""What AlterConfigs and IncrementalAlterConfigs must not ask, whatever the values; see Kafka's ConfigAdminManager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Response

SET, DELETE, APPEND, SUBTRACT = range(4)


def answer_each(resources: Sequence[Any], change: Callable[[Any], Response]) -> list[Response]:
    """The answer for each resource: that of `change`, or INVALID_REQUEST when the request contradicts itself."""
    names = [(resource.resource_type, resource.resource_name) for resource in resources]
    answers = []
    for resource, name in zip(resources, names, strict=True):
        wrong = "each resource may be named once only" if names.count(name) > 1 else _contradiction(resource)
        answers.append(change(resource) if wrong is None else _refused(resource, wrong))
    return answers


def _contradiction(resource: Any) -> str | None:
    names = [config.name for config in resource.configs]
    if len(set(names)) < len(names):
        return "each configuration may be named once only"
    without_value = [
        config.name
        for config in resource.configs
        if config.value is None and getattr(config, "config_operation", SET) != DELETE
    ]
    return f"null is no value for {', '.join(without_value)}" if without_value else None


def _refused(resource: Any, message: str) -> Response:
    return {
        "resource_type": resource.resource_type,
        "resource_name": resource.resource_name,
        "error_code": ErrorCode.invalid_request,
        "error_message": message,
    }
