"""Who may do what: Kafka's StandardAuthorizer.

A denial wins over whatever else is said. What nobody allows is denied, unless `allow.everyone.if.no.acl.found` lets
everybody use what no ACL speaks of. Super users may do everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from tailrace.broker.security.acls import (
    WILDCARD,
    AclBinding,
    Acls,
    Operation,
    PatternType,
    Permission,
    ResourceType,
)
from tailrace.broker.security.principal import EVERYBODY

CACHED_DECISIONS_MAX = 10_000

_DESCRIBERS = (Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER)
_IMPLIED_BY = {Operation.DESCRIBE: _DESCRIBERS, Operation.DESCRIBE_CONFIGS: (Operation.ALTER_CONFIGS,)}
SUFFICIENT = {
    operation: frozenset({operation, Operation.ALL, *_IMPLIED_BY.get(operation, ())}) for operation in Operation
}
"""The operations one of which has to be allowed so that an operation is."""

OPERATIONS_ON = {
    ResourceType.TOPIC: (
        Operation.READ,
        Operation.WRITE,
        Operation.CREATE,
        Operation.DELETE,
        Operation.ALTER,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    ),
    ResourceType.GROUP: (
        Operation.READ,
        Operation.DELETE,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    ),
    ResourceType.CLUSTER: (
        Operation.CREATE,
        Operation.ALTER,
        Operation.DESCRIBE,
        Operation.CLUSTER_ACTION,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
        Operation.IDEMPOTENT_WRITE,
    ),
}
"""What can be done to a resource (KIP-430)."""


def is_allowed(bindings: Iterable[AclBinding], principal: str, host: str, operation: Operation) -> bool:
    """Whether the ACLs about a resource allow an operation on it."""
    allowed = False
    for binding in bindings:
        if not _is_about(binding, principal, host):
            continue
        if binding.permission == Permission.DENY:
            if binding.operation in (operation, Operation.ALL):
                return False
        elif binding.operation in SUFFICIENT[operation]:
            allowed = True
    return allowed


def is_allowed_somewhere(bindings: Iterable[AclBinding], principal: str, host: str, operation: Operation) -> bool:
    """Whether there can be a resource on which the ACLs of its type allow an operation."""
    mine = [binding for binding in bindings if _is_about(binding, principal, host)]
    denials = [
        binding
        for binding in mine
        if binding.permission == Permission.DENY and binding.operation in (operation, Operation.ALL)
    ]
    return any(
        binding.permission == Permission.ALLOW
        and binding.operation in SUFFICIENT[operation]
        and not any(_takes_all_of(denial, binding) for denial in denials)
        for binding in mine
    )


def _is_about(binding: AclBinding, principal: str, host: str) -> bool:
    return binding.principal in (principal, EVERYBODY) and binding.host in (host, WILDCARD)


def _takes_all_of(denial: AclBinding, allowed: AclBinding) -> bool:
    """Whether a denial leaves nothing of what is allowed."""
    if denial.pattern_type == PatternType.LITERAL:
        is_literal = allowed.pattern_type == PatternType.LITERAL
        return denial.resource_name == WILDCARD or (is_literal and denial.resource_name == allowed.resource_name)
    is_everything = allowed.pattern_type == PatternType.LITERAL and allowed.resource_name == WILDCARD
    return not is_everything and allowed.resource_name.startswith(denial.resource_name)


class Authorizer:
    """Decides by the present ACLs; remembers what it decided until they change."""

    def __init__(self, acls: Acls, super_users: Iterable[str], *, allow_everyone_if_no_acl_found: bool) -> None:
        self._acls = acls
        self._super_users = frozenset(super_users)
        self._allow_unspoken_of = allow_everyone_if_no_acl_found
        self._decisions: dict[tuple[str, str, Operation, ResourceType, str], bool] = {}
        self._version = acls.version

    def allows(self, principal: str, host: str, operation: Operation, resource: ResourceType, name: str) -> bool:
        """Whether somebody may do something to a resource."""
        if self._version != self._acls.version or len(self._decisions) >= CACHED_DECISIONS_MAX:
            self._decisions.clear()
            self._version = self._acls.version
        key = principal, host, operation, resource, name
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decisions[key] = self._decide(principal, host, operation, resource, name)
        return decision

    def _decide(self, principal: str, host: str, operation: Operation, resource: ResourceType, name: str) -> bool:
        if principal in self._super_users:
            return True
        bindings = self._acls.about(resource, name)
        return is_allowed(bindings, principal, host, operation) if bindings else self._allow_unspoken_of

    def allows_somewhere(self, principal: str, host: str, operation: Operation, resource: ResourceType) -> bool:
        """Whether somebody may do something to some resource of a type, there or not (KIP-679)."""
        bindings = [binding for binding in self._acls if binding.resource_type == resource]
        if principal in self._super_users or (self._allow_unspoken_of and not bindings):
            return True
        return is_allowed_somewhere(bindings, principal, host, operation)
