"""DescribeAcls (API key 29), versions 1-3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import AclFilter, Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.describe_acls.v3.request import DescribeAclsRequest

SECURITY_DISABLED = "No Authorizer is configured: start the broker with --acls."


def handle(request: DescribeAclsRequest, call: Call) -> Response:
    """List the ACLs that a filter means, by resource."""
    error, message = acl_problem(Operation.DESCRIBE, call)
    if error is not ErrorCode.none:
        return {"error_code": error, "error_message": message}
    wanted = acl_filter(request)
    found: dict[tuple[int, str, int], list[Response]] = {}
    for binding in call.broker.state.acls:
        if wanted.matches(binding):
            pattern = binding.resource_type, binding.resource_name, binding.pattern_type
            found.setdefault(pattern, []).append(
                {
                    "principal": binding.principal,
                    "host": binding.host,
                    "operation": binding.operation,
                    "permission_type": binding.permission,
                }
            )
    resources = [
        {"resource_type": kind, "resource_name": name, "pattern_type": pattern_type, "acls": acls}
        for (kind, name, pattern_type), acls in found.items()
    ]
    return {"resources": resources}


def acl_filter(asked: Any) -> AclFilter:
    """The filter of a DescribeAcls or DeleteAcls request."""
    return AclFilter(
        asked.resource_type_filter,
        asked.resource_name_filter,
        asked.pattern_type_filter,
        asked.principal_filter,
        asked.host_filter,
        asked.operation,
        asked.permission_type,
    )


def acl_problem(operation: Operation, call: Call) -> tuple[ErrorCode, str | None]:
    """Why the client must not see or change ACLs."""
    if call.broker.authorizer is None:
        return ErrorCode.security_disabled, SECURITY_DISABLED
    is_allowed = call.allows(operation, ResourceType.CLUSTER)
    return ErrorCode.none if is_allowed else ErrorCode.cluster_authorization_failed, None
