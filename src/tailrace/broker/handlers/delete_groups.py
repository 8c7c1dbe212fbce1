"""DeleteGroups (API key 42), versions 0-2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import GroupDeleted
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.delete_groups.v2.request import DeleteGroupsRequest


def handle(request: DeleteGroupsRequest, call: Call) -> Response:
    """Forget groups that have no members, with their offsets."""
    results = [
        {"group_id": group_id, "error_code": _delete(group_id, call)}
        for group_id in dict.fromkeys(request.groups_names)
    ]
    return {"results": results}


def _delete(group_id: str, call: Call) -> ErrorCode:
    if not call.allows(Operation.DELETE, ResourceType.GROUP, group_id):
        return ErrorCode.group_authorization_failed
    groups, state = call.broker.groups, call.broker.state
    has_offsets = group_id in state.offsets.committed
    consumer_group = state.consumer_groups.get(group_id)
    if consumer_group is not None:
        if consumer_group.members:
            return ErrorCode.non_empty_group
        call.broker.record(events=[GroupDeleted(group_id)])
        return ErrorCode.none
    if group_id not in groups.groups and not has_offsets:
        return ErrorCode.group_id_not_found
    error = groups.delete(group_id)
    if error is ErrorCode.none and has_offsets:
        call.broker.record(events=[GroupDeleted(group_id)])
    return error
