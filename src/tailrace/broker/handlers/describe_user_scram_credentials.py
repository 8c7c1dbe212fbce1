"""DescribeUserScramCredentials (API key 50), version 0 (KIP-554)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.security.credentials import SCRAM_NUMBERS

if TYPE_CHECKING:
    from kio.schema.describe_user_scram_credentials.v0.request import DescribeUserScramCredentialsRequest


def handle(request: DescribeUserScramCredentialsRequest, call: Call) -> Response:
    """Tell which users have which credentials, but nothing about their passwords."""
    if not call.allows(Operation.DESCRIBE, ResourceType.CLUSTER):
        return {"error_code": ErrorCode.cluster_authorization_failed}
    names = [wanted.name for wanted in request.users or ()]
    users = list(dict.fromkeys(names)) or sorted({stored.user for stored in call.broker.state.users})
    return {"results": [_describe(user, call, is_repeated=names.count(user) > 1) for user in users]}


def _describe(user: str, call: Call, *, is_repeated: bool) -> Response:
    if is_repeated:
        message = f"user {user} is named more than once"
        return {"user": user, "error_code": ErrorCode.duplicate_resource, "error_message": message}
    credentials = call.broker.state.users.of(user)
    if not credentials:
        message = f"user {user} has no SCRAM credential"
        return {"user": user, "error_code": ErrorCode.resource_not_found, "error_message": message}
    infos = [{"mechanism": SCRAM_NUMBERS[each.mechanism], "iterations": each.iterations} for each in credentials]
    return {"user": user, "credential_infos": infos}
