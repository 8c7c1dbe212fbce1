"""Which ACLs a filter means, which can be created, and which are about a resource."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.security.acls import (
    AclBinding,
    AclFilter,
    Acls,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    binding_problem,
)

NAMES = st.sampled_from(["a", "ab", "abc", "b", "*"])
BINDINGS = st.builds(
    AclBinding,
    st.sampled_from([ResourceType.TOPIC, ResourceType.GROUP]),
    NAMES,
    st.sampled_from([PatternType.LITERAL, PatternType.PREFIXED]),
    st.sampled_from(["User:alice", "User:bob", "User:*"]),
    st.sampled_from(["*", "127.0.0.1"]),
    st.sampled_from([Operation.READ, Operation.WRITE, Operation.ALL]),
    st.sampled_from([Permission.ALLOW, Permission.DENY]),
)
TOPIC_A = AclBinding(ResourceType.TOPIC, "a", PatternType.LITERAL, "User:alice", "*", Operation.READ, Permission.ALLOW)
EVERYTHING = AclFilter(ResourceType.ANY, None, PatternType.ANY, None, None, Operation.ANY, Permission.ANY)


def changed(**values: object) -> AclBinding:
    fields = {field: getattr(TOPIC_A, field) for field in AclBinding.__struct_fields__}
    return AclBinding(**{**fields, **values})


@dataclass
class Case:
    """A filter that takes everything but for one field, and what it takes of some ACLs that differ there."""

    field: str
    wanted: object
    candidates: list[object]
    taken: list[object]


@pytest.mark.parametrize(
    "case",
    [
        Case("resource_type", ResourceType.TOPIC, [ResourceType.TOPIC, ResourceType.GROUP], [ResourceType.TOPIC]),
        Case("resource_name", "a", ["a", "b", "*"], ["a"]),
        Case("principal", "User:alice", ["User:alice", "User:*"], ["User:alice"]),
        Case("host", "*", ["*", "127.0.0.1"], ["*"]),
        Case("operation", Operation.ALL, [Operation.ALL, Operation.READ], [Operation.ALL]),
        Case("permission", Permission.DENY, [Permission.ALLOW, Permission.DENY], [Permission.DENY]),
        Case("pattern_type", PatternType.PREFIXED, [PatternType.LITERAL, PatternType.PREFIXED], [PatternType.PREFIXED]),
    ],
    ids=lambda case: case.field,
)
def test_a_filter_compares_each_field(case: Case) -> None:
    wanted = EVERYTHING._replace(**{case.field: case.wanted})
    candidates = [changed(**{case.field: candidate}) for candidate in case.candidates]
    assert all(EVERYTHING.matches(candidate) for candidate in candidates)
    assert [getattr(found, case.field) for found in candidates if wanted.matches(found)] == case.taken


@given(binding=BINDINGS, name=NAMES.filter(lambda name: name != "*"))
def test_match_means_what_is_about_a_name(binding: AclBinding, name: str) -> None:
    wanted = EVERYTHING._replace(resource_name=name, pattern_type=PatternType.MATCH)
    expected = binding.resource_name in (name, "*") if binding.pattern_type == PatternType.LITERAL else None
    if expected is None:
        expected = name.startswith(binding.resource_name)
    assert wanted.matches(binding) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource_type", ResourceType.ANY),
        ("resource_type", 0),
        ("resource_type", 99),
        ("resource_name", ""),
        ("pattern_type", PatternType.MATCH),
        ("pattern_type", PatternType.ANY),
        ("operation", Operation.ANY),
        ("operation", -1),
        ("permission", Permission.ANY),
        ("principal", "alice"),
        ("principal", "User:"),
        ("principal", ""),
        ("host", ""),
    ],
)
def test_an_acl_that_says_nothing_definite_cannot_be_created(field: str, value: object) -> None:
    assert binding_problem(TOPIC_A) is None
    assert binding_problem(changed(**{field: value})) is not None


def test_the_cluster_has_one_name() -> None:
    assert binding_problem(changed(resource_type=ResourceType.CLUSTER, resource_name="kafka-cluster")) is None
    assert binding_problem(changed(resource_type=ResourceType.CLUSTER)) is not None


@given(added=st.lists(BINDINGS, max_size=12), removed=st.lists(BINDINGS, max_size=4), name=NAMES)
def test_they_are_found_by_what_they_are_about(added: list[AclBinding], removed: list[AclBinding], name: str) -> None:
    acls = Acls(added)
    acls.remove(removed)
    left = [binding for binding in dict.fromkeys(added) if binding not in removed]
    assert list(acls) == left
    about = {binding for binding in left if binding.resource_type == ResourceType.TOPIC and binding.covers(name)}
    assert set(acls.about(ResourceType.TOPIC, name)) == about
