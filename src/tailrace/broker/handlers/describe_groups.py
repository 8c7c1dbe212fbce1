"""DescribeGroups (API key 15), versions 0-5. It knows classic groups only; to it, consumer groups are dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.state import Group, GroupState
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.describe_groups.v5.request import DescribeGroupsRequest


def handle(request: DescribeGroupsRequest, call: Call) -> Response:
    """Describe groups with their members."""
    wants_operations = getattr(request, "include_authorized_operations", False)
    groups = []
    for group_id in request.groups:
        if not call.allows(Operation.DESCRIBE, ResourceType.GROUP, group_id):
            groups.append({"group_id": group_id, "error_code": ErrorCode.group_authorization_failed})
            continue
        described = _describe(group_id, call)
        if wants_operations:
            described["authorized_operations"] = call.authorized_operations(ResourceType.GROUP, group_id)
        groups.append(described)
    return {"groups": groups}


def _describe(group_id: str, call: Call) -> dict[str, Any]:
    group = call.broker.groups.groups.get(group_id)
    if group is None:
        state = call.broker.state
        has_offsets = group_id in state.offsets.committed and state.consumer_groups.get(group_id) is None
        return {
            "group_id": group_id,
            "group_state": GroupState.EMPTY if has_offsets else GroupState.DEAD,
        }
    shows_assignment = group.state is GroupState.STABLE
    return {
        "group_id": group_id,
        "group_state": group.state,
        "protocol_type": group.protocol_type or "",
        "protocol_data": (group.protocol_name or "") if shows_assignment else "",
        "members": _members(group, shows_assignment=shows_assignment),
    }


def _members(group: Group, *, shows_assignment: bool) -> list[Response]:
    return [
        {
            "member_id": member.member_id,
            "group_instance_id": member.instance_id,
            "client_id": member.client_id,
            "client_host": member.client_host,
            "member_metadata": member.metadata(group.protocol_name) if shows_assignment else b"",
            "member_assignment": member.assignment if shows_assignment else b"",
        }
        for member in group.members.values()
    ]
