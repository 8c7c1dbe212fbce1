"""AlterConfigs (API key 33), versions 0-2: replaces all configurations of a topic or a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.broker.call import Call, Response
from tailrace.broker.config_changes import answer_each
from tailrace.broker.handlers.incremental_alter_configs import alter

if TYPE_CHECKING:
    from kio.schema.alter_configs.v2.request import AlterConfigsRequest


def handle(request: AlterConfigsRequest, call: Call) -> Response:
    """Set the named configurations and let all others have their defaults."""

    def replace(_: dict[str, str], resource: Any) -> dict[str, str | None]:
        return {config.name: config.value for config in resource.configs}

    def change(resource: Any) -> Response:
        return alter(resource, call, replace, validate_only=request.validate_only)

    return {"responses": answer_each(request.resources, change)}
