"""Every API asks whether the client may do it: nobody can add a handler that does not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.call import Call
from tailrace.broker.dispatch import APIS, TABLE, Api
from tailrace.broker.events import AclsCreated, OffsetsCommitted
from tailrace.broker.security.acls import AclBinding, Operation, PatternType, Permission, ResourceType
from tailrace.broker.security.authentication import Authentication
from tailrace.wire.messages import decode_request, encode_response, message_class

from .conftest import Scenario, create_topic, running
from .requests import decode_response, encode_request, error_codes, sample

ADMIN, MALLORY, ALICE = "User:admin", "User:mallory", "User:alice"
NAME = "topic"  # of a topic, and whatever else there is in a request

UNAUTHORIZED = {
    ErrorCode.topic_authorization_failed,
    ErrorCode.group_authorization_failed,
    ErrorCode.cluster_authorization_failed,
    ErrorCode.transactional_id_authorization_failed,
}
OPEN = {
    "api_versions": "says what everybody finds out by trying",
    "sasl_handshake": "comes before anybody is known",
    "sasl_authenticate": "comes before anybody is known",
    "describe_cluster": "tells the address that the client has used; as in Kafka",
}
FILTERED = {
    "list_groups": "tells what the client may know, see below",
    "list_transactions": "tells what the client may know, see below",
}
# Versions before these have no place for the error, and tell nothing instead.
ERROR_SINCE = {"describe_log_dirs": 3}
# Versions from these on name a topic in one of two ways.
NAME_OR_ID_SINCE = {"metadata": 10, "delete_topics": 6}
CONFIGS = {"describe_configs", "alter_configs", "incremental_alter_configs"}
# Numbers that are not 0, so that the request gets as far as it can.
ANSWERABLE: dict[str, dict[str, Any]] = {"produce": {"acks": 1}}


async def ask(broker: Broker, api: Api, version: int, principal: str, request: dict[str, Any]) -> Any:
    """The response as a client reads it."""
    frame = memoryview(encode_request(api.name, api.key, version, 7, request))
    decoded = decode_request(api.name, version, frame, len(b"test") + 10)
    call = Call(broker, version, 7, "test", "/127.0.0.1", 1, Authentication(principal))
    reply: Any = api.handle(decoded, call)
    if inspect.isawaitable(reply):
        reply = await asyncio.wait_for(reply, 5)
    parts = reply if isinstance(reply, list) else encode_response(api.name, version, 7, reply)
    return decode_response(api.name, version, b"".join(parts)[4:])


def request_of(api: Api, version: int, broker: Broker) -> dict[str, Any]:
    topic = broker.state.topics.by_name(NAME)
    assert topic is not None
    schema = message_class(api.name, version, "request")
    wanted = sample(schema, NAME, topic.uuid) | ANSWERABLE.get(api.name, {})
    if version >= NAME_OR_ID_SINCE.get(api.name, version + 1):
        wanted["topics"] = [{"name": NAME, "topic_id": None}]
    if api.name in CONFIGS:
        wanted["resources"] = [resource | {"resource_type": ResourceType.TOPIC} for resource in wanted["resources"]]
    return wanted


@pytest.mark.parametrize("api", [api for api in TABLE if api.name not in OPEN | FILTERED], ids=lambda api: api.name)
def test_nothing_is_done_for_somebody_without_permission(
    tmp_path: Path, run: Callable[[Scenario], None], api: Api
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True, super_users=(ADMIN,)) as broker:
            create_topic(broker, NAME)
            for version in api.decodes:
                frames = broker.state.next_frame
                refused = await ask(broker, api, version, MALLORY, request_of(api, version, broker))
                if version >= ERROR_SINCE.get(api.name, 0):
                    assert error_codes(refused) & UNAUTHORIZED, f"version {version}: {refused}"
                else:
                    assert refused.results == ()
                assert broker.state.next_frame == frames, "it was done although it was refused"

    run(scenario)


@pytest.mark.parametrize("api", [api for api in TABLE if api.name not in OPEN], ids=lambda api: api.name)
def test_a_super_user_is_not_refused(tmp_path: Path, run: Callable[[Scenario], None], api: Api) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True, super_users=(ADMIN,)) as broker:
            for version in api.decodes:
                if broker.state.topics.by_name(NAME) is None:
                    create_topic(broker, NAME)
                answer = await ask(broker, api, version, ADMIN, request_of(api, version, broker))
                assert not error_codes(answer) & UNAUTHORIZED, f"version {version}: {answer}"

    run(scenario)


def test_what_is_open_exists() -> None:
    assert set(OPEN | FILTERED) <= {api.name for api in TABLE}


# -- what is told depends on who asks -------------------------------------------------------------------------------


def allow(broker: Broker, operation: Operation, resource: ResourceType, name: str, principal: str = ALICE) -> None:
    binding = AclBinding(resource, name, PatternType.LITERAL, principal, "*", operation, Permission.ALLOW)
    broker.record(events=[AclsCreated([binding])])


def api_named(name: str) -> Api:
    return next(api for api in APIS.values() if api.name == name)


async def ask_newest(broker: Broker, name: str, principal: str, request: dict[str, Any]) -> Any:
    api = api_named(name)
    return await ask(broker, api, api.decodes[-1], principal, request)


def test_metadata_hides_topics(tmp_path: Path, run: Callable[[Scenario], None]) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True) as broker:
            secret = create_topic(broker, "secret")
            create_topic(broker, "known")
            allow(broker, Operation.WRITE, ResourceType.TOPIC, "known")
            everything = {"topics": None, "include_topic_authorized_operations": True}
            seen = await ask_newest(broker, "metadata", ALICE, everything)
            assert [topic.name for topic in seen.topics] == ["known"]
            assert seen.topics[0].topic_authorized_operations == 1 << Operation.WRITE | 1 << Operation.DESCRIBE
            by_id = {"topics": [{"name": None, "topic_id": secret.uuid}]}
            [refused] = (await ask_newest(broker, "metadata", ALICE, by_id)).topics
            assert (refused.error_code, refused.name) == (ErrorCode.unknown_topic_id, None)

    run(scenario)


def test_a_topic_is_created_on_demand_only_for_who_may_create_it(
    tmp_path: Path, run: Callable[[Scenario], None]
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True, auto_create_topics_enable=True) as broker:
            wanted = {"topics": [{"name": "new"}], "allow_auto_topic_creation": True}
            allow(broker, Operation.DESCRIBE, ResourceType.TOPIC, "new")
            [refused] = (await ask_newest(broker, "metadata", ALICE, wanted)).topics
            assert refused.error_code is ErrorCode.topic_authorization_failed
            allow(broker, Operation.CREATE, ResourceType.TOPIC, "new")
            [created] = (await ask_newest(broker, "metadata", ALICE, wanted)).topics
            assert created.error_code is ErrorCode.none

    run(scenario)


def test_groups_and_offsets_are_listed_for_who_may_see_them(tmp_path: Path, run: Callable[[Scenario], None]) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True, super_users=(ADMIN,)) as broker:
            create_topic(broker, "known")
            create_topic(broker, "secret")
            rows = [(name, 0, 1, 0, "", 5) for name in ("known", "secret")]
            broker.record(events=[OffsetsCommitted(group, rows) for group in ("mine", "theirs")])
            allow(broker, Operation.READ, ResourceType.GROUP, "mine")
            allow(broker, Operation.DESCRIBE, ResourceType.TOPIC, "known")
            listed = {
                who: [group.group_id for group in (await ask_newest(broker, "list_groups", who, {})).groups]
                for who in (MALLORY, ALICE, ADMIN)
            }
            assert listed == {MALLORY: [], ALICE: ["mine"], ADMIN: ["mine", "theirs"]}
            all_offsets = {"groups": [{"group_id": "mine", "topics": None}]}
            [group] = (await ask_newest(broker, "offset_fetch", ALICE, all_offsets)).groups
            assert [topic.name for topic in group.topics] == ["known"]

    run(scenario)


def test_a_regular_expression_matches_what_the_member_may_know_of(
    tmp_path: Path, run: Callable[[Scenario], None]
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True) as broker:
            known, secret = create_topic(broker, "known"), create_topic(broker, "secret")
            allow(broker, Operation.READ, ResourceType.GROUP, "group")
            allow(broker, Operation.DESCRIBE, ResourceType.TOPIC, "known")

            async def assigned(epoch: int, **told: Any) -> set[Any]:
                request = {"group_id": "group", "member_id": "a", "member_epoch": epoch, "rebalance_timeout": 1000}
                request |= {"topic_partitions": [], "subscribed_topic_regex": ".*", "subscribed_topic_names": None}
                answer = await ask_newest(broker, "consumer_group_heartbeat", ALICE, request | told)
                assert answer.error_code is ErrorCode.none, answer
                return {topic.topic_id for topic in answer.assignment.topic_partitions}

            assert await assigned(0) == {known.uuid}
            allow(broker, Operation.DESCRIBE, ResourceType.TOPIC, "secret")
            assert await assigned(2) == {known.uuid, secret.uuid}
            mine = {"group_ids": ["group"], "include_authorized_operations": True}
            [group] = (await ask_newest(broker, "consumer_group_describe", ALICE, mine)).groups
            assert group.authorized_operations == 1 << Operation.READ | 1 << Operation.DESCRIBE
            allow(broker, Operation.DESCRIBE, ResourceType.GROUP, "group", MALLORY)
            [refused] = (await ask_newest(broker, "consumer_group_describe", MALLORY, mine)).groups
            assert (refused.error_code, refused.members) == (ErrorCode.topic_authorization_failed, ())

    run(scenario)


def test_transactions_are_listed_for_who_may_see_them(tmp_path: Path, run: Callable[[Scenario], None]) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True, super_users=(ADMIN,)) as broker:
            for transactional_id in ("mine", "theirs"):
                wanted = {"transactional_id": transactional_id, "transaction_timeout": 1000}
                await ask_newest(broker, "init_producer_id", ADMIN, wanted | {"producer_id": -1, "producer_epoch": -1})
            allow(broker, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, "mine")
            listed = {}
            for who in (MALLORY, ALICE, ADMIN):
                answer = await ask_newest(broker, "list_transactions", who, {"duration_filter": -1})
                listed[who] = [state.transactional_id for state in answer.transaction_states]
            assert listed == {MALLORY: [], ALICE: ["mine"], ADMIN: ["mine", "theirs"]}

    run(scenario)


def test_who_may_write_somewhere_gets_a_producer_id(tmp_path: Path, run: Callable[[Scenario], None]) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True) as broker:
            allow(broker, Operation.WRITE, ResourceType.TOPIC, "known")
            wanted = {"transactional_id": None, "transaction_timeout": 0}
            answers = [await ask_newest(broker, "init_producer_id", who, wanted) for who in (ALICE, MALLORY)]
            assert [answer.error_code for answer in answers] == [
                ErrorCode.none,
                ErrorCode.cluster_authorization_failed,
            ]

    run(scenario)


def test_a_partition_without_permission_keeps_all_out_of_a_transaction(
    tmp_path: Path, run: Callable[[Scenario], None]
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, acls=True) as broker:
            create_topic(broker, "known")
            create_topic(broker, "secret")
            allow(broker, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, "txn")
            allow(broker, Operation.WRITE, ResourceType.TOPIC, "known")
            topics = [{"name": name, "partitions": [0]} for name in ("known", "secret")]
            wanted = {"v3_and_below_transactional_id": "txn", "v3_and_below_topics": topics}
            answer = await ask_newest(broker, "add_partitions_to_txn", ALICE, wanted)
            errors = {
                topic.name: topic.results_by_partition[0].partition_error_code
                for topic in answer.results_by_topic_v3_and_below
            }
            assert errors == {
                "known": ErrorCode.operation_not_attempted,
                "secret": ErrorCode.topic_authorization_failed,
            }

    run(scenario)


def test_acls_are_not_served_when_they_are_off(tmp_path: Path, run: Callable[[Scenario], None]) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            for name in ("describe_acls", "create_acls", "delete_acls"):
                api = api_named(name)
                answer = await ask(broker, api, 3, MALLORY, sample(message_class(name, 3, "request"), NAME, None))  # type: ignore[arg-type]
                assert ErrorCode.security_disabled in error_codes(answer)

    run(scenario)
