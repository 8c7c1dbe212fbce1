"""AlterUserScramCredentials (API key 51), version 0 (KIP-554)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import AnyEvent, CredentialDeleted, CredentialSet
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.security.credentials import (
    ITERATIONS_MAX,
    ITERATIONS_MIN,
    SCRAM_TYPES,
    credential_from_salted,
)

if TYPE_CHECKING:
    from kio.schema.alter_user_scram_credentials.v0.request import AlterUserScramCredentialsRequest

Problem = tuple[ErrorCode, str | None]


def handle(request: AlterUserScramCredentialsRequest, call: Call) -> Response:
    """Set and delete credentials; all changes of a user or none."""
    changes: dict[str, list[Any]] = {}
    wanted_changes: list[Any] = [*request.deletions, *request.upsertions]
    for change in wanted_changes:
        changes.setdefault(change.name, []).append(change)
    problems = {user: _problem(user, wanted, call) for user, wanted in changes.items()}
    events = [
        _event(change) for user, wanted in changes.items() for change in wanted if problems[user][0] is ErrorCode.none
    ]
    if events:
        call.broker.record(events=events)
    return {
        "results": [
            {"user": user, "error_code": error, "error_message": message} for user, (error, message) in problems.items()
        ]
    }


def _problem(user: str, changes: list[Any], call: Call) -> Problem:
    if not call.allows(Operation.ALTER, ResourceType.CLUSTER):
        return ErrorCode.cluster_authorization_failed, None
    if not user:
        return ErrorCode.unacceptable_credential, "a user must have a name"
    mechanisms = [change.mechanism for change in changes]
    if any(mechanism not in SCRAM_TYPES for mechanism in mechanisms):
        return ErrorCode.unsupported_sasl_mechanism, f"SCRAM mechanisms are {SCRAM_TYPES}, got {mechanisms}"
    if len(set(mechanisms)) < len(mechanisms):
        return ErrorCode.duplicate_resource, f"user {user} is changed twice for one mechanism"
    return next((found for change in changes if (found := _change_problem(change, call))), (ErrorCode.none, None))


def _change_problem(change: Any, call: Call) -> Problem | None:
    if not hasattr(change, "salted_password"):
        is_there = call.broker.state.users.get(change.name, SCRAM_TYPES[change.mechanism]) is not None
        missing = f"user {change.name} has no credential for {SCRAM_TYPES[change.mechanism]}"
        return None if is_there else (ErrorCode.resource_not_found, missing)
    if not ITERATIONS_MIN <= change.iterations <= ITERATIONS_MAX:
        message = f"{change.iterations} iterations, expected {ITERATIONS_MIN} to {ITERATIONS_MAX}"
        return ErrorCode.unacceptable_credential, message
    if not change.salt or not change.salted_password:
        return ErrorCode.unacceptable_credential, "salt and salted password must not be empty"
    return None


def _event(change: Any) -> AnyEvent:
    mechanism = SCRAM_TYPES[change.mechanism]
    if not hasattr(change, "salted_password"):
        return CredentialDeleted(change.name, mechanism)
    return CredentialSet(
        credential_from_salted(change.name, mechanism, change.salted_password, change.salt, change.iterations)
    )
