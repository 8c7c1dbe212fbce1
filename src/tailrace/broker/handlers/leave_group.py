"""LeaveGroup (API key 13), versions 0-5. Version 3 names many members, also by instance id (KIP-345)."""

from __future__ import annotations

from typing import Any

from tailrace.broker.call import Call, Response


def handle(request: Any, call: Call) -> Response:
    """Remove members."""
    leave = call.broker.groups.leave
    if call.api_version < 3:
        return {"error_code": leave(request.group_id, request.member_id, None)}
    return {
        "members": [
            {
                "member_id": member.member_id,
                "group_instance_id": member.group_instance_id,
                "error_code": leave(request.group_id, member.member_id, member.group_instance_id),
            }
            for member in request.members
        ]
    }
