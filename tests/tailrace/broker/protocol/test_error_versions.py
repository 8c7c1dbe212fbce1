"""Errors in the words of the version that asks: older clients know fewer codes."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import ProducerState, Wire

FENCED = ErrorCode.producer_fenced
OLD_FENCED = ErrorCode.invalid_producer_epoch


@pytest.fixture
def zombie(wire: Wire) -> ProducerState:
    """A producer that a newer one with the same transactional id has fenced."""
    transactional_id = wire.unique("txn")
    zombie = wire.initialize(transactional_id)
    wire.initialize(transactional_id)
    return zombie


@pytest.mark.parametrize(("version", "error"), [(0, OLD_FENCED), (1, OLD_FENCED), (2, FENCED), (3, FENCED)])
def test_add_partitions_says_producer_fenced_since_version_2(
    wire: Wire, zombie: ProducerState, version: int, error: ErrorCode
) -> None:
    assert wire.add_partitions(zombie, (wire.topic(), 0), version=version) is error


@pytest.mark.parametrize(
    ("version", "error"), [(0, OLD_FENCED), (1, OLD_FENCED), (2, FENCED), (3, FENCED), (4, FENCED)]
)
def test_add_offsets_says_producer_fenced_since_version_2(
    wire: Wire, zombie: ProducerState, version: int, error: ErrorCode
) -> None:
    answer = wire.patiently("add_offsets_to_txn", version, **zombie.named, group_id=wire.unique("group"))
    assert answer.error_code is error


@pytest.mark.parametrize(
    ("version", "error"), [(0, OLD_FENCED), (1, OLD_FENCED), (2, FENCED), (3, FENCED), (4, FENCED)]
)
def test_end_says_producer_fenced_since_version_2(
    wire: Wire, zombie: ProducerState, version: int, error: ErrorCode
) -> None:
    assert wire.end(zombie, committed=True, version=version) is error


@pytest.mark.parametrize(("version", "error"), [(3, OLD_FENCED), (4, FENCED), (5, FENCED)])
def test_init_producer_id_says_producer_fenced_since_version_4(
    wire: Wire, zombie: ProducerState, version: int, error: ErrorCode
) -> None:
    wire.initialize(zombie.transactional_id)
    answer = wire.init_producer_id(
        zombie.transactional_id, version=version, producer_id=zombie.id, producer_epoch=zombie.epoch
    )
    assert (answer.error_code, answer.producer_id, answer.producer_epoch) == (error, -1, -1)


@pytest.mark.parametrize("version", [3, 9])
def test_produce_never_says_producer_fenced(wire: Wire, zombie: ProducerState, version: int) -> None:
    from .conftest import batch

    topic = wire.topic()
    successor = wire.initialize(zombie.transactional_id)
    wire.write(successor, topic, b"v")
    data = batch(b"v", producer=zombie, sequence=0, transactional=True)
    answer = wire.produce(topic, data, version=version, transactional_id=zombie.transactional_id)
    assert answer.error_code is OLD_FENCED


@pytest.mark.parametrize("version", range(5))
def test_txn_offset_commit_never_says_producer_fenced(wire: Wire, zombie: ProducerState, version: int) -> None:
    topic, group = wire.topic(), wire.unique("group")
    successor = wire.initialize(zombie.transactional_id)
    assert wire.patiently("add_offsets_to_txn", 3, **successor.named, group_id=group).error_code is ErrorCode.none
    entry = {"partition_index": 0, "committed_offset": 1, "committed_leader_epoch": -1}
    topics = [{"name": topic, "partitions": [entry]}]
    answer = wire.patiently(
        "txn_offset_commit", version, **zombie.named, group_id=group, generation_id=-1, topics=topics
    )
    assert answer.topics[0].partitions[0].error_code is OLD_FENCED


def join(wire: Wire, version: int, **fields: Any) -> Any:
    return wire.patiently(
        "join_group",
        version,
        **{
            "group_id": wire.unique("group"),
            "session_timeout": 10_000,
            "rebalance_timeout": 10_000,
            "protocol_type": "consumer",
            "protocols": [{"name": "range", "metadata": b"m"}],
        }
        | fields,
    )


@pytest.mark.parametrize("version", [2, 3])
def test_joining_before_version_4_needs_no_member_id(wire: Wire, version: int) -> None:
    answer = join(wire, version)
    assert (answer.error_code, answer.generation_id, answer.leader) == (ErrorCode.none, 1, answer.member_id)


@pytest.mark.parametrize("version", range(4, 10))
def test_joining_since_version_4_needs_a_member_id(wire: Wire, version: int) -> None:
    group = wire.unique("group")
    answer = join(wire, version, group_id=group)
    assert (answer.error_code, answer.generation_id) == (ErrorCode.member_id_required, -1)
    again = join(wire, version, group_id=group, member_id=answer.member_id)
    assert (again.error_code, again.generation_id, again.member_id) == (ErrorCode.none, 1, answer.member_id)


@pytest.mark.parametrize(("version", "name"), [(6, ""), (7, None)])
def test_a_failed_join_has_no_protocol_which_is_null_since_version_7(
    wire: Wire, version: int, name: str | None
) -> None:
    answer = join(wire, version, group_id=wire.unique("group"), member_id="nobody")
    assert answer.error_code is ErrorCode.unknown_member_id
    assert answer.protocol_name == name


@pytest.mark.parametrize("version", [1, 2])
def test_leaving_before_version_3_tells_one_error(wire: Wire, version: int) -> None:
    answer = wire.patiently("leave_group", version, group_id=wire.unique("group"), member_id="nobody")
    assert answer.error_code is ErrorCode.unknown_member_id


@pytest.mark.parametrize("version", [3, 5])
def test_leaving_since_version_3_tells_an_error_for_each_member(wire: Wire, version: int) -> None:
    answer = wire.patiently(
        "leave_group", version, group_id=wire.unique("group"), members=[{"member_id": "a"}, {"member_id": "b"}]
    )
    assert answer.error_code is ErrorCode.none
    assert [member.error_code for member in answer.members] == [ErrorCode.unknown_member_id] * 2


@pytest.mark.parametrize(
    ("version", "error"),
    [(4, ErrorCode.unknown_topic_or_partition), (12, ErrorCode.unknown_topic_or_partition)],
)
def test_fetch_by_name_says_unknown_topic(wire: Wire, version: int, error: ErrorCode) -> None:
    assert wire.fetch(wire.unique("missing"), version=version).error_code is error


@pytest.mark.parametrize("version", [4, 5])
def test_delete_topics_names_unknown_topics(wire: Wire, version: int) -> None:
    [answer] = wire.ask("delete_topics", version, topic_names=[wire.unique("missing")], timeout=10_000).responses
    assert answer.error_code is ErrorCode.unknown_topic_or_partition


def test_an_unknown_version_of_api_versions_is_answered_in_version_0(wire: Wire) -> None:
    import struct

    wire.socket.sendall(struct.pack(">ihhihx", 11, 18, 99, 7, -1))
    response = wire.socket.recv(10_000)
    assert struct.unpack_from(">ih", response, 4) == (7, ErrorCode.unsupported_version.value)
