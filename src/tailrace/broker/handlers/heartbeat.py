"""Heartbeat (API key 12), versions 0-4. Version 3 adds the instance id (KIP-345)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.heartbeat.v4.request import HeartbeatRequest


def handle(request: HeartbeatRequest, call: Call) -> Response:
    """Keep a member alive, and tell it when it has to join again."""
    instance_id = getattr(request, "group_instance_id", None)
    return {
        "error_code": call.broker.groups.heartbeat(
            request.group_id, request.generation_id, request.member_id, instance_id
        )
    }
