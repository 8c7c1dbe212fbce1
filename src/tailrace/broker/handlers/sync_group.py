"""SyncGroup (API key 14), versions 0-5. Version 5 has to name the protocol (KIP-559)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.sync_group.v5.request import SyncGroupRequest

NAMES_SINCE = 5


async def handle(request: SyncGroupRequest, call: Call) -> Response:
    """Take the leader's assignments, or wait for them."""
    if call.api_version >= NAMES_SINCE and (request.protocol_type is None or request.protocol_name is None):
        return {"error_code": ErrorCode.inconsistent_group_protocol}
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        return {"error_code": ErrorCode.group_authorization_failed}
    synced = await call.broker.groups.sync(
        request.group_id,
        request.generation_id,
        request.member_id,
        getattr(request, "group_instance_id", None),
        (getattr(request, "protocol_type", None), getattr(request, "protocol_name", None)),
        {entry.member_id: entry.assignment for entry in request.assignments},
    )
    return {
        "error_code": synced.error,
        "protocol_type": synced.protocol_type,
        "protocol_name": synced.protocol_name,
        "assignment": synced.assignment,
    }
