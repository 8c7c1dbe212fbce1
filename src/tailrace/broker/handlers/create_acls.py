"""CreateAcls (API key 30), versions 1-3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import AclsCreated
from tailrace.broker.handlers.describe_acls import acl_problem
from tailrace.broker.security.acls import AclBinding, Operation, binding_problem

if TYPE_CHECKING:
    from kio.schema.create_acls.v3.request import AclCreation, CreateAclsRequest


def handle(request: CreateAclsRequest, call: Call) -> Response:
    """Create those ACLs that are valid; one that is there already is no error."""
    error, message = acl_problem(Operation.ALTER, call)
    if error is not ErrorCode.none:
        return {"results": [{"error_code": error, "error_message": message} for _ in request.creations]}
    bindings = [_binding(creation) for creation in request.creations]
    problems = [binding_problem(binding) for binding in bindings]
    created = [binding for binding, problem in zip(bindings, problems, strict=True) if problem is None]
    if any(binding not in call.broker.state.acls for binding in created):
        call.broker.record(events=[AclsCreated(created)])
    return {"results": [_result(problem) for problem in problems]}


def _binding(creation: AclCreation) -> AclBinding:
    return AclBinding(
        creation.resource_type,
        creation.resource_name,
        creation.resource_pattern_type,
        creation.principal,
        creation.host,
        creation.operation,
        creation.permission_type,
    )


def _result(problem: str | None) -> Response:
    return {} if problem is None else {"error_code": ErrorCode.invalid_request, "error_message": problem}
