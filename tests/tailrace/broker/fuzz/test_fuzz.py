"""The targets with damaged valid input, a little of it; `make fuzz` does more."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from tailrace.broker.dispatch import TABLE, Api
from tailrace.broker.security.config import SecurityProtocol
from tailrace.wire.messages import message_class
from tailrace.wire.record_batch import HEADER_BYTES, Record, encode_batch

from ..requests import encode_request, framed
from .files import KINDS, intact_files, recover_from
from .mutation import MUTATIONS, Mutation, mutate
from .strategies import requests
from .targets import TARGETS
from .world import NAMES, NOW_MS, World

EASY = settings(deadline=None, suppress_health_check=list(HealthCheck))
DAMAGE = st.lists(MUTATIONS, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.mark.parametrize("api", TABLE, ids=lambda api: api.name)
def test_valid_and_damaged_requests_are_answered_or_refused(api: Api) -> None:
    with World() as world:

        @settings(EASY, max_examples=15 * len(api.decodes))
        @given(st.data())
        def check(data: st.DataObject) -> None:
            version = data.draw(st.sampled_from(list(api.decodes)))
            body = data.draw(requests(message_class(api.name, version, "request"), *NAMES))
            request = encode_request(api.name, api.key, version, 7, body)
            world.ask(request)
            world.ask(request[:10] + mutate(request[10:], data.draw(DAMAGE)))

        check()


FIRST_REQUESTS = framed(encode_request("api_versions", 18, 0, 1, {})) + framed(
    encode_request("metadata", 3, 1, 2, {"topics": None})
)


@settings(EASY, max_examples=300)
@given(damage=DAMAGE, size=st.integers(0, 40))
def test_a_damaged_stream_is_answered_or_refused(world: World, damage: list[Mutation], size: int) -> None:
    TARGETS["stream"](world, bytes([size]) + mutate(FIRST_REQUESTS, damage))


@settings(EASY, max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_stream_is_answered_or_refused(world: World, data: bytes) -> None:
    TARGETS["stream"](world, data)


BATCH = encode_batch([Record(number, NOW_MS + number, b"key", b"value", (("h", b"v"),)) for number in range(3)])


@settings(EASY, max_examples=300)
@given(damage=DAMAGE, compression=st.integers(0, 7))
def test_a_damaged_batch_is_refused_or_can_be_read(damage: list[Mutation], compression: int) -> None:
    batch = bytearray(mutate(BATCH, damage).ljust(HEADER_BYTES, b"\0"))
    batch[22] = batch[22] & ~7 | compression
    with World() as world:
        TARGETS["record_batch"](world, bytes(batch))


@settings(EASY, max_examples=300)
@given(
    first=st.sampled_from([b"n,,n=alice,r=client", b"\0alice\0wrong"]),
    final=st.sampled_from([b"c=biws,r=clientserver,p=AAAA", b""]),
    damage=DAMAGE,
)
def test_nobody_logs_in_without_the_password(world: World, first: bytes, final: bytes, damage: list[Mutation]) -> None:
    TARGETS["sasl"](world, mutate(first + b"\xff" + final, damage))


SUBSCRIPTION = struct.pack(">hih5si", 0, 1, 5, b"topic", 0)


@settings(EASY, max_examples=200)
@given(damage=DAMAGE)
def test_what_members_send_each_other_does_no_harm(world: World, damage: list[Mutation]) -> None:
    TARGETS["group_blobs"](world, b"g" + mutate(SUBSCRIPTION, damage))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_recovered_or_refused(kind: str) -> None:
    names = sorted(name for name in intact_files() if kind in name)
    assert names
    assert recover_from(intact_files())

    @settings(EASY, max_examples=150)
    @given(name=st.sampled_from(names), damage=DAMAGE)
    def check(name: str, damage: list[Mutation]) -> None:
        files = dict(intact_files())
        files[name] = mutate(files[name], damage)
        recover_from(files)

    check()


def test_damaged_segments_without_their_index_are_recovered_or_refused() -> None:
    without_index = {name: content for name, content in intact_files().items() if not name.endswith(".index")}
    names = sorted(name for name in without_index if name.endswith(".log"))

    @settings(EASY, max_examples=150)
    @given(name=st.sampled_from(names), damage=DAMAGE)
    def check(name: str, damage: list[Mutation]) -> None:
        recover_from({**without_index, name: mutate(without_index[name], damage)})

    check()


@settings(EASY, max_examples=300)
@given(damage=DAMAGE, size=st.integers(0, 40))
def test_a_damaged_login_is_answered_or_refused(login_world: World, damage: list[Mutation], size: int) -> None:
    login = framed(encode_request("sasl_handshake", 17, 1, 1, {"mechanism": "SCRAM-SHA-256"})) + framed(
        encode_request("sasl_authenticate", 36, 2, 2, {"auth_bytes": b"n,,n=alice,r=client"})
    )
    TARGETS["stream"](login_world, bytes([size]) + mutate(login + FIRST_REQUESTS, damage))


@pytest.fixture(scope="module")
def login_world() -> Iterator[World]:
    settings = {"security_protocol": SecurityProtocol.SASL_PLAINTEXT, "connection_failed_authentication_delay_ms": 0}
    with World(**settings) as made:
        yield made


def test_the_world_notices_a_failing_handler(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle itself."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tailrace.broker.handlers.create_topics._problem", fail)
    topics = [{"name": "new", "num_partitions": 1, "replication_factor": 1}]
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        world.ask(encode_request("create_topics", 19, 5, 1, {"topics": topics}))


def test_valid_requests_reach_their_handlers(world: World) -> None:
    """What is generated is not refused for its form."""
    produced = {"acks": -1, "topic_data": [{"name": "topic", "partition_data": [{"index": 1, "records": BATCH}]}]}
    [topic] = world.ask(encode_request("produce", 0, 9, 1, produced)).responses
    assert topic.partition_responses[0].error_code is ErrorCode.none
