"""Who may do what, against the rules said once more in the plainest way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.security.acls import AclBinding, Acls, Operation, PatternType, Permission, ResourceType
from tailrace.broker.security.authorizer import Authorizer

from .test_acls import BINDINGS

HOST, ALICE = "127.0.0.1", "User:alice"
NAMES = ["a", "ab", "abc", "b", "zzz", ""]
IMPLIES = {
    Operation.READ: {Operation.DESCRIBE},
    Operation.WRITE: {Operation.DESCRIBE},
    Operation.DELETE: {Operation.DESCRIBE},
    Operation.ALTER: {Operation.DESCRIBE},
    Operation.ALTER_CONFIGS: {Operation.DESCRIBE_CONFIGS},
    Operation.ALL: set(Operation),
}


def acl(
    operation: Operation,
    permission: Permission = Permission.ALLOW,
    name: str = "a",
    principal: str = ALICE,
    host: str = "*",
    pattern: PatternType = PatternType.LITERAL,
) -> AclBinding:
    return AclBinding(ResourceType.TOPIC, name, pattern, principal, host, operation, permission)


def authorizer(*bindings: AclBinding, allow_everyone: bool = False, super_users: tuple[str, ...] = ()) -> Authorizer:
    return Authorizer(Acls(bindings), super_users, allow_everyone_if_no_acl_found=allow_everyone)


def allows(decider: Authorizer, operation: Operation, name: str = "a") -> bool:
    return decider.allows(ALICE, HOST, operation, ResourceType.TOPIC, name)


@pytest.mark.parametrize("given_operation", [operation for operation in Operation if operation != Operation.ANY])
def test_an_operation_allows_itself_and_what_it_implies(given_operation: Operation) -> None:
    decider = authorizer(acl(given_operation))
    allowed = {operation for operation in Operation if allows(decider, operation)}
    assert allowed == {given_operation} | IMPLIES.get(given_operation, set())


@pytest.mark.parametrize("denied", [Operation.DESCRIBE, Operation.READ, Operation.ALL])
def test_a_denial_wins_over_what_is_allowed(denied: Operation) -> None:
    decider = authorizer(acl(Operation.ALL), acl(denied, Permission.DENY, name="*"))
    assert not allows(decider, denied)
    # To deny READ is not to deny DESCRIBE, although to allow it is to allow that.
    assert allows(decider, Operation.DESCRIBE) == (denied is Operation.READ)


def test_what_nobody_speaks_of_is_denied_unless_configured() -> None:
    assert not allows(authorizer(), Operation.READ)
    lenient = authorizer(acl(Operation.READ, principal="User:bob"), allow_everyone=True)
    assert not allows(lenient, Operation.READ, "a")
    assert allows(lenient, Operation.READ, "b")


def test_super_users_may_do_everything() -> None:
    decider = authorizer(acl(Operation.ALL, Permission.DENY, name="*"), super_users=(ALICE,))
    assert allows(decider, Operation.DELETE)
    assert decider.allows_somewhere(ALICE, HOST, Operation.WRITE, ResourceType.TOPIC)


def test_a_decision_is_forgotten_when_the_acls_change() -> None:
    acls = Acls()
    decider = Authorizer(acls, (), allow_everyone_if_no_acl_found=False)
    assert not allows(decider, Operation.READ)
    acls.add([acl(Operation.READ)])
    assert allows(decider, Operation.READ)
    acls.remove([acl(Operation.READ)])
    assert not allows(decider, Operation.READ)


@given(
    bindings=st.lists(BINDINGS, max_size=8),
    operation=st.sampled_from([Operation.READ, Operation.WRITE, Operation.DESCRIBE]),
    name=st.sampled_from(NAMES),
    lenient=st.booleans(),
)
def test_it_agrees_with_the_rules(bindings: list[AclBinding], operation: Operation, name: str, lenient: bool) -> None:
    about = [b for b in bindings if b.resource_type == ResourceType.TOPIC and b.covers(name)]
    mine = [b for b in about if b.principal in (ALICE, "User:*") and b.host in (HOST, "*")]
    denied = any(b.permission == Permission.DENY and b.operation in (operation, Operation.ALL) for b in mine)
    allowed = any(
        b.permission == Permission.ALLOW
        and (b.operation == operation or operation in IMPLIES.get(Operation(b.operation), ()))
        for b in mine
    )
    expected = allowed and not denied if about else lenient
    assert allows(authorizer(*bindings, allow_everyone=lenient), operation, name) == expected


@given(bindings=st.lists(BINDINGS, max_size=5))
def test_somewhere_means_that_there_is_a_name(bindings: list[AclBinding]) -> None:
    decider = authorizer(*bindings)
    somewhere = decider.allows_somewhere(ALICE, HOST, Operation.WRITE, ResourceType.TOPIC)
    # Names that stand for all others: each pattern's own, and something longer that only prefixes reach.
    names = {binding.resource_name for binding in bindings} | {"zzz"}
    names |= {name + "-long" for name in names}
    assert somewhere == any(allows(decider, Operation.WRITE, name) for name in names if name != "*")
