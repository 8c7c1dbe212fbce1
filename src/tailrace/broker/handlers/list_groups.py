"""ListGroups (API key 16), versions 0-5. Version 4 filters by state (KIP-518), version 5 by type (KIP-848)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace.broker.call import Call, Response
from tailrace.broker.groups.state import GroupState
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.list_groups.v5.request import ListGroupsRequest

CLASSIC, CONSUMER = "classic", "consumer"


class Listed(NamedTuple):
    """A row of the list."""

    protocol_type: str
    state: str
    group_type: str


def handle(request: ListGroupsRequest, call: Call) -> Response:
    """List groups that have members or offsets, as far as the client may know of them."""
    may_see_all = call.allows(Operation.DESCRIBE, ResourceType.CLUSTER)
    states = {state.strip().lower() for state in getattr(request, "states_filter", ())}
    types = {group_type.lower() for group_type in getattr(request, "types_filter", ())}
    groups = [
        {
            "group_id": group_id,
            "protocol_type": listed.protocol_type,
            "group_state": listed.state,
            "group_type": listed.group_type,
        }
        for group_id, listed in _all_groups(call).items()
        if (not states or listed.state.lower() in states)
        and (not types or listed.group_type in types)
        and (may_see_all or call.allows(Operation.DESCRIBE, ResourceType.GROUP, group_id))
    ]
    return {"groups": groups}


def _all_groups(call: Call) -> dict[str, Listed]:
    state = call.broker.state
    with_offsets = dict.fromkeys(state.offsets.committed, Listed("", GroupState.EMPTY, CLASSIC))
    classic = {
        group.group_id: Listed(group.protocol_type or "", group.state, CLASSIC)
        for group in call.broker.groups.groups.values()
    }
    consumer = {group.group_id: Listed("consumer", group.state, CONSUMER) for group in state.consumer_groups}
    return with_offsets | classic | consumer
