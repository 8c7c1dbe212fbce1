"""ListGroups (API key 16), versions 0-5. Version 4 filters by state (KIP-518), version 5 by type (KIP-848)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.state import GroupState
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.list_groups.v5.request import ListGroupsRequest

CLASSIC = "classic"


def handle(request: ListGroupsRequest, call: Call) -> Response:
    """List groups that have members or offsets, as far as the client may know of them."""
    may_see_all = call.allows(Operation.DESCRIBE, ResourceType.CLUSTER)
    states = {state.lower() for state in getattr(request, "states_filter", ())}
    types = {group_type.lower() for group_type in getattr(request, "types_filter", ())}
    groups = [
        {"group_id": group_id, "protocol_type": protocol_type, "group_state": state, "group_type": CLASSIC}
        for group_id, (protocol_type, state) in _all_groups(call).items()
        if (not states or state.lower() in states)
        and (not types or CLASSIC in types)
        and (may_see_all or call.allows(Operation.DESCRIBE, ResourceType.GROUP, group_id))
    ]
    return {"groups": groups}


def _all_groups(call: Call) -> dict[str, tuple[str, GroupState]]:
    with_offsets = dict.fromkeys(call.broker.state.offsets.committed, ("", GroupState.EMPTY))
    with_members = {
        group.group_id: (group.protocol_type or "", group.state) for group in call.broker.groups.groups.values()
    }
    return with_offsets | with_members
