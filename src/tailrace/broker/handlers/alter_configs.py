"""AlterConfigs (API key 33), versions 0-2: replaces all configurations of a topic or a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.incremental_alter_configs import alter

if TYPE_CHECKING:
    from kio.schema.alter_configs.v2.request import AlterConfigsRequest


def handle(request: AlterConfigsRequest, call: Call) -> Response:
    """Set the named configurations and let all others have their defaults."""

    def replace(_: dict[str, str], resource: Any) -> dict[str, str | None]:
        return {config.name: config.value for config in resource.configs}

    return {
        "responses": [
            alter(resource, call, replace, validate_only=request.validate_only) for resource in request.resources
        ]
    }
