"""The routes of instances: who has what, and whether this one is ready."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tailrace.streams.instances.claims import Member
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.serving.app import json
from tailrace.streams.serving.forwarding import Unavailable
from tailrace.streams.serving.parameters import check_names


def instance_routes(meeting: Meeting) -> list[BaseRoute]:
    """Make the routes of the instances."""

    async def instances(request: Request) -> Response:
        check_names(request.query_params, ())
        live = {member.name for member in meeting.live()}
        return json([_described(member, member.name in live) for _, member in sorted(meeting.claims.members.items())])

    async def ready(_: Request) -> Response:
        if not meeting.is_ready:
            raise Unavailable(f"instance {meeting.name} has no partitions yet, or has not caught up with their state")
        return json({"status": "ready", "instance": meeting.name})

    return [Route("/instances", instances), Route("/health/ready", ready)]


def _described(member: Member, is_alive: bool) -> dict[str, Any]:
    claim = member.claim
    # A task is as good as where it was claimed last; see /tables for who answers.
    return {
        "name": member.name,
        "address": claim.address,
        "alive": is_alive,
        "active": [f"{topic}-{partition}" for topic, partition in claim.active],
        "standby": [{"task": f"{topic}-{partition}", "behind": behind} for (topic, partition), behind in claim.standby],
    }
