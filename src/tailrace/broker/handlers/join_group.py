"""JoinGroup (API key 11), versions 0-9.

Version 1 adds the rebalance timeout, 4 gives the member id before the join (KIP-394), 5 static members (KIP-345),
9 lets a static leader skip the assignment (KIP-814).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.coordinator import JoinRequest
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.join_group.v9.request import JoinGroupRequest

MILLISECOND = timedelta(milliseconds=1)
NULLABLE_NAMES_SINCE = 7


async def handle(request: JoinGroupRequest, call: Call) -> Response:
    """Join, and answer when the rebalance is over."""
    if not call.allows(Operation.READ, ResourceType.GROUP, request.group_id):
        no_name = None if call.api_version >= NULLABLE_NAMES_SINCE else ""
        return {"error_code": ErrorCode.group_authorization_failed, "generation_id": -1, "protocol_name": no_name}
    rebalance_timeout = getattr(request, "rebalance_timeout", request.session_timeout)
    joined = await call.broker.groups.join(
        JoinRequest(
            group_id=request.group_id,
            member_id=request.member_id,
            instance_id=getattr(request, "group_instance_id", None),
            client_id=call.client_id,
            client_host=call.client_host,
            session_timeout_ms=request.session_timeout // MILLISECOND,
            rebalance_timeout_ms=rebalance_timeout // MILLISECOND,
            protocol_type=request.protocol_type,
            protocols=tuple((protocol.name, protocol.metadata) for protocol in request.protocols),
            needs_known_id=call.api_version >= 4,
            can_skip_assignment=call.api_version >= 9,
        )
    )
    has_nullable_names = call.api_version >= NULLABLE_NAMES_SINCE
    return {
        "error_code": joined.error,
        "generation_id": joined.generation_id,
        "protocol_type": joined.protocol_type,
        "protocol_name": joined.protocol_name if has_nullable_names else joined.protocol_name or "",
        "leader": joined.leader_id,
        "skip_assignment": joined.skip_assignment,
        "member_id": joined.member_id,
        "members": [
            {"member_id": member_id, "group_instance_id": instance_id, "metadata": metadata}
            for member_id, instance_id, metadata in joined.members
        ],
    }
