"""Heartbeat (API key 12), versions 0-4. Version 3 adds the instance id (KIP-345)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.heartbeat.v4.request import HeartbeatRequest


def handle(request: HeartbeatRequest, call: Call) -> Response:
    """Keep a member alive, and tell it when it has to join again."""
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        return {"error_code": ErrorCode.group_authorization_failed}
    instance_id = getattr(request, "group_instance_id", None)
    return {
        "error_code": call.broker.groups.heartbeat(
            request.group_id, request.generation_id, request.member_id, instance_id
        )
    }
