"""Access control lists: what they are, which of them a filter means, and where they are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

import msgspec

WILDCARD = "*"
CLUSTER_NAME = "kafka-cluster"


class ResourceType(IntEnum):
    """What an ACL protects."""

    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """How the name of an ACL is compared; a filter may also ask for `ANY`, or for all that `MATCH` a name."""

    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What somebody wants to do."""

    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """What an ACL says."""

    ANY = 1
    DENY = 2
    ALLOW = 3


class AclBinding(msgspec.Struct, array_like=True, frozen=True):
    """One access control list, by Kafka's numbers."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission: int

    def covers(self, name: str) -> bool:
        """Whether it is about a resource of its type with that name."""
        if self.pattern_type == PatternType.PREFIXED:
            return name.startswith(self.resource_name)
        return self.resource_name in (name, WILDCARD)


class AclFilter(NamedTuple):
    """Which ACLs are meant; null and `ANY` mean all."""

    resource_type: int
    resource_name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission: int

    def matches(self, binding: AclBinding) -> bool:
        """Whether an ACL is meant."""
        return (
            self.resource_type in (ResourceType.ANY, binding.resource_type)
            and self._matches_pattern(binding)
            and self.principal in (None, binding.principal)
            and self.host in (None, binding.host)
            and self.operation in (Operation.ANY, binding.operation)
            and self.permission in (Permission.ANY, binding.permission)
        )

    def _matches_pattern(self, binding: AclBinding) -> bool:
        if self.pattern_type not in (PatternType.ANY, PatternType.MATCH, binding.pattern_type):
            return False
        if self.resource_name is None:
            return True
        if self.pattern_type == PatternType.MATCH:
            return binding.covers(self.resource_name)
        return self.resource_name == binding.resource_name


def binding_problem(binding: AclBinding) -> str | None:
    """Why an ACL cannot be created, in a sentence; None when it can."""
    checks = {
        "resource type": (binding.resource_type, ResourceType, (ResourceType.ANY,)),
        "pattern type": (binding.pattern_type, PatternType, (PatternType.ANY, PatternType.MATCH)),
        "operation": (binding.operation, Operation, (Operation.ANY,)),
        "permission": (binding.permission, Permission, (Permission.ANY,)),
    }
    for what, (value, kinds, only_in_filters) in checks.items():
        if value not in list(kinds) or value in only_in_filters:
            return f"an ACL must not have {what} {value}"
    if not binding.resource_name:
        return "an ACL must name a resource"
    if binding.resource_type == ResourceType.CLUSTER and binding.resource_name != CLUSTER_NAME:
        return f"the only valid name for the cluster is {CLUSTER_NAME}, got {binding.resource_name}"
    kind, _, name = binding.principal.partition(":")
    if not kind or not name:
        return f"principal {binding.principal!r}, expected one like User:alice"
    return None if binding.host else "an ACL must name a host, * for all"


class Acls:
    """All ACLs, found by what they are about; `version` grows with every change."""

    def __init__(self, bindings: Iterable[AclBinding] = ()) -> None:
        self.version = 0
        self._all: dict[AclBinding, None] = {}
        self._literal: dict[tuple[int, str], list[AclBinding]] = defaultdict(list)
        self._prefixed: dict[int, list[AclBinding]] = defaultdict(list)
        self.add(bindings)

    def __iter__(self) -> Iterator[AclBinding]:
        return iter(self._all)

    def __contains__(self, binding: object) -> bool:
        return binding in self._all

    def add(self, bindings: Iterable[AclBinding]) -> None:
        """Add ACLs; one that is there already stays as it is."""
        for binding in bindings:
            if binding not in self._all:
                self._all[binding] = None
                self._place(binding).append(binding)
        self.version += 1

    def remove(self, bindings: Iterable[AclBinding]) -> None:
        """Remove ACLs."""
        for binding in bindings:
            if binding in self._all:
                del self._all[binding]
                self._place(binding).remove(binding)
        self.version += 1

    def _place(self, binding: AclBinding) -> list[AclBinding]:
        if binding.pattern_type == PatternType.PREFIXED:
            return self._prefixed[binding.resource_type]
        return self._literal[binding.resource_type, binding.resource_name]

    def about(self, resource_type: ResourceType, name: str) -> list[AclBinding]:
        """The ACLs about one resource."""
        literal = self._literal.get((resource_type, name), []) + self._literal.get((resource_type, WILDCARD), [])
        return literal + [binding for binding in self._prefixed.get(resource_type, ()) if binding.covers(name)]
