"""DeleteAcls (API key 31), versions 1-3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import AclsDeleted
from tailrace.broker.handlers.describe_acls import acl_filter, acl_problem
from tailrace.broker.security.acls import AclBinding, Operation

if TYPE_CHECKING:
    from kio.schema.delete_acls.v3.request import DeleteAclsRequest


def handle(request: DeleteAclsRequest, call: Call) -> Response:
    """Delete the ACLs that filters mean, and tell which they were."""
    error, message = acl_problem(Operation.ALTER, call)
    if error is not ErrorCode.none:
        return {"filter_results": [{"error_code": error, "error_message": message} for _ in request.filters]}
    filters = [acl_filter(asked) for asked in request.filters]
    found = [[binding for binding in call.broker.state.acls if wanted.matches(binding)] for wanted in filters]
    deleted = list(dict.fromkeys(binding for bindings in found for binding in bindings))
    if deleted:
        call.broker.record(events=[AclsDeleted(deleted)])
    return {"filter_results": [{"matching_acls": [_describe(each) for each in bindings]} for bindings in found]}


def _describe(binding: AclBinding) -> Response:
    return {
        "resource_type": binding.resource_type,
        "resource_name": binding.resource_name,
        "pattern_type": binding.pattern_type,
        "principal": binding.principal,
        "host": binding.host,
        "operation": binding.operation,
        "permission_type": binding.permission,
    }
