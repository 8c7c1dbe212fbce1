"""Both brokers refuse the same to somebody who may do little, with the same errors.

Clients are anonymous here, and what they may do is taken away and given back step by step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.security.acls import CLUSTER_NAME, WILDCARD, Operation, PatternType, Permission, ResourceType
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess

from .known_differences import known_difference
from .peer import TIMEOUT_S, differences, plain
from .table import TABLE
from .test_answers import Worlds, common_versions
from .world import World

pytestmark = pytest.mark.kafka

ANONYMOUS, SOMEBODY_ELSE = "User:ANONYMOUS", "User:somebody-else"
KAFKA = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "auto.create.topics.enable": "false",
}
OURS = ["--override=acls=true", "--override=allow.everyone.if.no.acl.found=true"]


class Grant(NamedTuple):
    """Something that clients may do to all resources of a type."""

    resource: ResourceType
    operation: Operation
    principal: str = ANONYMOUS

    @property
    def name(self) -> str:
        return CLUSTER_NAME if self.resource is ResourceType.CLUSTER else WILDCARD


PROTECTED = [ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID, ResourceType.CLUSTER]
# As soon as there is an ACL about a resource, it is closed to whom no ACL names. Kafka's own broker is a client of its
# controller, and anonymous, too.
CLOSED_TO_OTHERS = [Grant(resource, Operation.ALL, SOMEBODY_ELSE) for resource in PROTECTED]
FORWARD, ADMINISTER = (
    Grant(ResourceType.CLUSTER, operation) for operation in (Operation.CLUSTER_ACTION, Operation.ALTER)
)
STEPS: dict[str, list[Grant]] = {
    "administer": [],
    "describe": [Grant(resource, Operation.DESCRIBE) for resource in PROTECTED[:3]],
    "read": [Grant(ResourceType.TOPIC, Operation.READ), Grant(ResourceType.GROUP, Operation.READ)],
    "write": [
        Grant(ResourceType.TRANSACTIONAL_ID, Operation.WRITE),
        Grant(ResourceType.TOPIC, Operation.WRITE),
    ],
}


@pytest.fixture(scope="module")
def worlds(unique: Callable[[str], str]) -> Iterator[Worlds]:
    run = unique("run")
    with BrokerProcess(options=OURS) as broker, KafkaProcess(properties=KAFKA) as kafka:
        both = World(broker, run), World(kafka, run)
        yield both
        for world in both:
            world.peer.close()


def create_acls(world: World, grants: list[Grant]) -> None:
    creations = [
        {
            "resource_type": grant.resource,
            "resource_name": grant.name,
            "resource_pattern_type": PatternType.LITERAL,
            "principal": grant.principal,
            "host": WILDCARD,
            "operation": grant.operation,
            "permission_type": Permission.ALLOW,
        }
        for grant in grants
    ]
    results = world.peer.ask("create_acls", 3, {"creations": creations}).results
    assert {result.error_code for result in results} <= {ErrorCode.none}


def delete_acls(world: World, grants: Iterable[Grant]) -> None:
    filters = [
        {
            "resource_type_filter": grant.resource,
            "resource_name_filter": None,
            "pattern_type_filter": PatternType.ANY,
            "principal_filter": grant.principal,
            "host_filter": None,
            "operation": grant.operation,
            "permission_type": Permission.ANY,
        }
        for grant in grants
    ]
    results = world.peer.ask("delete_acls", 3, {"filters": filters}).filter_results
    assert {result.error_code for result in results} == {ErrorCode.none}


def await_effect(world: World, *, is_known: bool) -> None:
    """Kafka's brokers hear of ACLs a moment after they are made."""
    wanted = {"topics": [{"name": world.plain}]}
    expected = ErrorCode.none if is_known else ErrorCode.topic_authorization_failed
    give_up_at = time.monotonic() + TIMEOUT_S
    while world.peer.ask("metadata", 12, wanted).topics[0].error_code is not expected:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def unexplained(worlds: Worlds, *, again: bool) -> dict[str, object]:
    """Where answers differ, in the first and the last version of each row.

    What was refused may have left something behind that is seen when the same is asked `again` by who may do more.
    """
    found: dict[str, object] = {}
    for row in TABLE:
        versions = common_versions(row, worlds)
        for version in sorted({versions[0], versions[-1]}):
            ours, theirs = (
                plain(world.peer.ask(row.api, version, row.request(world)), world.names) for world in worlds
            )
            for path, (our, their) in differences(ours, theirs).items():
                names = [row.name, f"{row.name} again"] if again else [row.name]
                if not any(known_difference(name, path) for name in names):
                    found[f"{row.name}, version {version}, {path}"] = {"embedded": our, "Apache Kafka": their}
    return found


def test_both_refuse_the_same(worlds: Worlds) -> None:
    for world in worlds:
        create_acls(world, [FORWARD, ADMINISTER])
        create_acls(world, CLOSED_TO_OTHERS)
        await_effect(world, is_known=False)
    found = {}
    for step, grants in STEPS.items():
        for world in worlds:
            create_acls(world, grants)
            await_effect(world, is_known=step != "administer")
        found |= {f"{step}: {where}": what for where, what in unexplained(worlds, again=step == "write").items()}
    for world in worlds:
        delete_acls(world, [ADMINISTER, *chain.from_iterable(STEPS.values())])
        await_effect(world, is_known=False)
    found |= {f"nothing: {where}": what for where, what in unexplained(worlds, again=False).items()}
    assert not found, "\n".join(f"{where}: {what}" for where, what in found.items())
