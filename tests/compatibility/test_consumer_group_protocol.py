"""Requests of consumer groups (KIP-848) on the wire, also with what real clients do not do: wrong epochs and ids.

The same on both engines, so that Apache Kafka says what is right.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from kio.schema.errors import ErrorCode

from tests.tailrace.broker.requests import decode_response, encode_request, framed

from .conftest import GIVE_UP_S, Clients, Engine

JOIN_GROUP, LEAVE_GROUP, DESCRIBE_GROUPS, OFFSET_COMMIT, OFFSET_FETCH = 11, 13, 15, 8, 9
HEARTBEAT, DESCRIBE = 68, 69
NAMES = {
    JOIN_GROUP: "join_group",
    LEAVE_GROUP: "leave_group",
    DESCRIBE_GROUPS: "describe_groups",
    OFFSET_COMMIT: "offset_commit",
    OFFSET_FETCH: "offset_fetch",
    HEARTBEAT: "consumer_group_heartbeat",
    DESCRIBE: "consumer_group_describe",
}
LEAVING, AWAY = -1, -2


class Peer:
    """One connection that takes requests as dictionaries and gives `kio`'s responses."""

    def __init__(self, bootstrap_servers: str) -> None:
        host, port = bootstrap_servers.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=GIVE_UP_S)
        self._stream = self._socket.makefile("rb")

    def ask(self, api_key: int, version: int, **request: Any) -> Any:
        name = NAMES[api_key]
        self._socket.sendall(framed(encode_request(name, api_key, version, 1, request)))
        [size] = struct.unpack(">i", self._stream.read(4))
        return decode_response(name, version, self._stream.read(size))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Group:
    """A group of members that do what they are told, by hand."""

    def __init__(self, clients: Clients, peer: Peer, partitions: int = 2) -> None:
        self.peer = peer
        self.topic = clients.topic(partitions=partitions)
        self.group_id = clients.unique("group")
        self.topic_id: UUID | None = None

    def owning(self, *indexes: int) -> list[dict[str, Any]]:
        return [{"topic_id": self.topic_id, "partitions": list(indexes)}] if indexes else []

    def beat(self, member_id: str, epoch: int, *, version: int = 1, **told: Any) -> Any:
        request = {"group_id": self.group_id, "member_id": member_id, "member_epoch": epoch}
        nothing = {"rebalance_timeout": -1, "topic_partitions": None, "subscribed_topic_names": None}
        return self.peer.ask(HEARTBEAT, version, **nothing | request | told)

    def join(self, member_id: str, **told: Any) -> Any:
        everything = {
            "rebalance_timeout": 60_000,
            "topic_partitions": [],
            "subscribed_topic_names": [self.topic],
        }
        return self.beat(member_id, 0, **everything | told)

    def begin(self, member_id: str, **told: Any) -> int:
        """Let the first member join and get everything; gives its epoch."""
        return self.settle(member_id, self.join(member_id, **told), **told)

    def settle(self, member_id: str, answer: Any, **told: Any) -> int:
        """Wait until the only member has everything; gives its epoch then.

        The coordinator of Apache Kafka may hear of the topic a little later than the one that creates it.
        """
        give_up_at = time.monotonic() + GIVE_UP_S
        while not partitions(answer):
            assert time.monotonic() < give_up_at, "the topic did not come"
            answer = self.beat(member_id, answer.member_epoch, **told)
        [topic] = answer.assignment.topic_partitions
        self.topic_id = topic.topic_id
        epoch: int = answer.member_epoch
        return epoch

    def commit(self, member_id: str, epoch: int, index: int = 0, *, version: int = 9) -> ErrorCode:
        partition = {"partition_index": index, "committed_offset": 1, "committed_metadata": ""}
        response = self.peer.ask(
            OFFSET_COMMIT,
            version,
            group_id=self.group_id,
            member_id=member_id,
            generation_id_or_member_epoch=epoch,
            topics=[{"name": self.topic, "partitions": [partition]}],
        )
        error: ErrorCode = response.topics[0].partitions[0].error_code
        return error

    def fetch(self, member_id: str | None, epoch: int) -> ErrorCode:
        wanted = [{"name": self.topic, "partition_indexes": [0]}]
        group = {"group_id": self.group_id, "member_id": member_id, "member_epoch": epoch, "topics": wanted}
        error: ErrorCode = self.peer.ask(OFFSET_FETCH, 9, groups=[group]).groups[0].error_code
        return error

    def described(self) -> Any:
        return self.peer.ask(DESCRIBE, 1, group_ids=[self.group_id]).groups[0]


def partitions(answer: Any) -> set[int] | None:
    """What an answer assigns, None when it does not say."""
    if answer.assignment is None:
        return None
    return {index for topic in answer.assignment.topic_partitions for index in topic.partitions}


@pytest.fixture(scope="module")
def coordinated(engine: Engine) -> None:
    """Apache Kafka coordinates no group before somebody looked for a coordinator."""
    settings = {"bootstrap.servers": engine.bootstrap_servers, "log_level": 0}
    for number in range(8):
        consumer = Consumer(settings | {"group.id": f"coordinated-{number}"})
        give_up_at = time.monotonic() + GIVE_UP_S
        while not is_coordinated(consumer):
            assert time.monotonic() < give_up_at, "nobody coordinates the group"
        consumer.close()


def is_coordinated(consumer: Consumer) -> bool:
    """Whether the group's coordinator answers; not yet when its topic has just been made."""
    try:
        consumer.committed([TopicPartition("topic", 0)], GIVE_UP_S)
    except KafkaException as exception:
        if exception.args[0].code() != KafkaError.NOT_COORDINATOR:
            raise
        return False
    return True


@pytest.fixture
def peer(clients: Clients, coordinated: None) -> Iterator[Peer]:
    connection = Peer(clients.common["bootstrap.servers"])
    yield connection
    connection.close()


@pytest.fixture
def group(clients: Clients, peer: Peer) -> Group:
    return Group(clients, peer)


def test_epochs_begin_with_one_and_change_with_subscriptions(group: Group, engine: Engine) -> None:
    assert group.join("a", subscribed_topic_names=[]).member_epoch == 1
    told = group.beat("a", 1, subscribed_topic_names=[group.topic])
    assert told.member_epoch == 2
    is_heard_later = engine.name == "Apache Kafka" and not partitions(told)
    epoch = group.settle("a", told)
    assert epoch == (3 if is_heard_later else 2)
    assert group.beat("a", epoch, subscribed_topic_names=[group.topic]).member_epoch == epoch
    assert group.described().group_epoch == epoch


def test_partitions_change_hands_when_they_were_given_up(group: Group) -> None:
    epoch = group.begin("a")
    second = group.join("b")
    assert (second.member_epoch, partitions(second)) == (epoch + 1, set())
    told = group.beat("a", epoch)
    [kept] = partitions(told) or set()
    assert told.member_epoch == epoch
    assert partitions(group.beat("a", epoch)) is None, "it knows"
    assert partitions(group.beat("b", epoch + 1)) is None
    assert group.described().group_state == "Reconciling"
    assert group.beat("a", epoch, topic_partitions=group.owning(kept)).member_epoch == epoch + 1
    assert partitions(group.beat("b", epoch + 1)) == {0, 1} - {kept}
    described = group.described()
    assert (described.group_state, described.group_epoch, described.assignment_epoch) == (
        "Stable",
        epoch + 1,
        epoch + 1,
    )
    assert {member.member_id: (member.member_epoch, member.member_type) for member in described.members} == {
        "a": (epoch + 1, 1),
        "b": (epoch + 1, 1),
    }


def test_members_are_fenced(group: Group) -> None:
    first = group.begin("a")
    group.join("b")
    group.beat("b", LEAVING)
    epoch = group.beat("a", first).member_epoch
    assert group.beat("a", epoch, topic_partitions=group.owning(0, 1)).member_epoch == epoch
    assert group.beat("a", epoch + 1).error_code is ErrorCode.fenced_member_epoch
    assert group.beat("b", epoch).error_code is ErrorCode.unknown_member_id
    assert group.beat("b", LEAVING).error_code is ErrorCode.unknown_member_id
    group.join("b")
    group.beat("b", LEAVING)
    moved = group.beat("a", epoch)
    assert moved.member_epoch > epoch
    assert group.beat("a", epoch).error_code is ErrorCode.fenced_member_epoch, "it does not say what it has"
    assert group.beat("a", epoch, topic_partitions=group.owning(0, 1)).error_code is ErrorCode.none
    assert group.beat("a", first, topic_partitions=[]).error_code is ErrorCode.fenced_member_epoch
    again = group.join("a")
    assert (again.member_epoch, partitions(again)) == (moved.member_epoch, {0, 1})


def test_static_members_have_their_instance_ids(group: Group) -> None:
    epoch = group.begin("a", instance_id="one")
    assert group.join("b", instance_id="one").error_code is ErrorCode.unreleased_instance_id
    assert group.beat("b", epoch, instance_id="one").error_code is ErrorCode.fenced_instance_id
    assert group.beat("a", epoch, instance_id="two").error_code is ErrorCode.unknown_member_id
    away = group.beat("a", AWAY, instance_id="one")
    assert (away.error_code, away.member_epoch) == (ErrorCode.none, AWAY)
    assert group.described().group_state == "Reconciling"
    back = group.join("b", instance_id="one")
    assert (back.member_epoch, partitions(back)) == (epoch, {0, 1})
    assert group.beat("a", epoch, instance_id="one").error_code is ErrorCode.fenced_instance_id
    assert group.beat("b", LEAVING, instance_id="one").member_epoch == LEAVING
    assert group.described().group_state == "Empty"


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"rebalance_timeout": -1}, ErrorCode.invalid_request),
        ({"topic_partitions": None}, ErrorCode.invalid_request),
        ({"subscribed_topic_names": None}, ErrorCode.invalid_request),
        ({"member_id": ""}, ErrorCode.invalid_request),
        ({"instance_id": ""}, ErrorCode.invalid_request),
        ({"rack_id": ""}, ErrorCode.invalid_request),
        ({"member_epoch": -3}, ErrorCode.invalid_request),
        ({"member_epoch": AWAY}, ErrorCode.invalid_request),
        ({"member_epoch": 1}, ErrorCode.group_id_not_found),
        ({"member_epoch": LEAVING}, ErrorCode.group_id_not_found),
        ({"server_assignor": "best"}, ErrorCode.unsupported_assignor),
        ({"subscribed_topic_regex": "("}, ErrorCode.invalid_regular_expression),
        ({"subscribed_topic_regex": "(?=a)"}, ErrorCode.invalid_regular_expression),
    ],
    ids=str,
)
def test_requests_that_are_wrong(group: Group, told: dict[str, Any], error: ErrorCode) -> None:
    answer = group.join(**{"member_id": "a"} | told)
    assert answer.error_code is error
    assert answer.error_message


def test_in_version_0_the_coordinator_gives_the_id(group: Group) -> None:
    answer = group.join("", version=0)
    assert answer.error_code is ErrorCode.none
    assert answer.member_id
    assert group.join("").error_code is ErrorCode.invalid_request


def test_offsets_need_the_epoch_of_the_member(group: Group) -> None:
    epoch = group.begin("a")
    assert group.commit("a", epoch) is ErrorCode.none
    assert group.commit("a", epoch + 1) is ErrorCode.stale_member_epoch
    assert group.commit("b", epoch) is ErrorCode.unknown_member_id
    assert group.commit("", -1) is ErrorCode.unknown_member_id
    assert group.commit("a", epoch, version=8) is ErrorCode.unsupported_version
    assert group.fetch("a", epoch) is ErrorCode.none
    assert group.fetch(None, -1) is ErrorCode.none
    assert group.fetch("a", epoch + 1) is ErrorCode.stale_member_epoch
    assert group.fetch("b", epoch) is ErrorCode.unknown_member_id
    group.join("b")
    group.beat("b", LEAVING)
    assert group.beat("a", epoch).member_epoch > epoch
    assert group.commit("a", epoch - 1) is ErrorCode.stale_member_epoch
    assert group.fetch("a", epoch) is ErrorCode.stale_member_epoch
    group.beat("a", LEAVING)
    assert group.commit("", -1) is ErrorCode.none


# Apache Kafka does so from 4.3 on.
@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_a_commit_under_way_when_the_epoch_changes_counts_for_what_the_member_had_and_has(group: Group) -> None:
    epoch = group.begin("a")
    group.join("b")
    group.beat("b", LEAVING)
    assert group.beat("a", epoch).member_epoch > epoch
    assert group.commit("a", epoch) is ErrorCode.none


def test_apis_of_the_classic_protocol_do_not_know_the_group(group: Group) -> None:
    group.join("a")
    [described] = group.peer.ask(DESCRIBE_GROUPS, 5, groups=[group.group_id]).groups
    assert (described.error_code, described.group_state) == (ErrorCode.none, "Dead")
    [left] = group.peer.ask(LEAVE_GROUP, 5, group_id=group.group_id, members=[{"member_id": "b"}]).members
    assert left.error_code is ErrorCode.unknown_member_id


def test_other_groups_are_not_described(clients: Clients, group: Group) -> None:
    assert group.described().error_code is ErrorCode.group_id_not_found
    assert group.commit("", -1) is ErrorCode.none
    described = group.described()
    assert described.error_code is ErrorCode.group_id_not_found
    assert described.error_message == f"Group {group.group_id} is not a consumer group."


def test_a_group_of_another_kind_is_refused(group: Group) -> None:
    """The classic protocol also serves others than consumers; such a group never becomes a consumer group."""
    protocols = [{"name": "v0", "metadata": b""}]
    common = {"group_id": group.group_id, "protocol_type": "connect", "protocols": protocols}
    timeouts = {"session_timeout": 10_000, "rebalance_timeout": 10_000}
    joined = group.peer.ask(JOIN_GROUP, 3, member_id="", **common, **timeouts)
    assert joined.error_code is ErrorCode.none
    assert group.join(str(uuid4())).error_code is ErrorCode.group_id_not_found
    group.peer.ask(LEAVE_GROUP, 1, group_id=group.group_id, member_id=joined.member_id)
    assert group.join("a").error_code is ErrorCode.none
    refused = group.peer.ask(JOIN_GROUP, 3, member_id="", **common, **timeouts)
    assert refused.error_code is ErrorCode.inconsistent_group_protocol
