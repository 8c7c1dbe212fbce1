"""LeaveGroup (API key 13), versions 0-5. Version 3 names many members, also by instance id (KIP-345)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.leave_group.v5.request import LeaveGroupRequest


def handle(request: LeaveGroupRequest, call: Call) -> Response:
    """Remove members."""
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        return {"error_code": ErrorCode.group_authorization_failed}
    leave = call.broker.groups.leave
    if call.api_version < 3:
        older: Any = request
        return {"error_code": leave(older.group_id, older.member_id, None)}
    if not request.group_id:
        return {"error_code": ErrorCode.invalid_group_id}
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
