"""DescribeTopicPartitions: topics in order of their names, cut by a limit, continued by a cursor (KIP-966)."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import Wire


def describe(wire: Wire, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None) -> Any:
    named = None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]}
    return wire.ask(
        "describe_topic_partitions",
        0,
        topics=[{"name": name} for name in names],
        response_partition_limit=limit,
        cursor=named,
    )


def shown(answer: Any) -> list[tuple[str, list[int]]]:
    return [(topic.name, [entry.partition_index for entry in topic.partitions]) for topic in answer.topics]


def test_partitions_are_described_as_in_metadata(wire: Wire) -> None:
    name = wire.topic(2)
    [topic] = describe(wire, name).topics
    known = wire.describe_topic(name)
    assert (topic.error_code, topic.topic_id, topic.is_internal) == (ErrorCode.none, known.topic_id, False)
    wanted = [{"topic_id": None, "name": name}]
    with_operations = wire.ask("metadata", 12, topics=wanted, include_topic_authorized_operations=True).topics[0]
    assert topic.topic_authorized_operations == with_operations.topic_authorized_operations > 0
    for entry, same in zip(topic.partitions, known.partitions, strict=True):
        assert entry.error_code is ErrorCode.none
        assert (entry.leader_id, entry.leader_epoch) == (same.leader_id, same.leader_epoch)
        assert (entry.replica_nodes, entry.isr_nodes) == (same.replica_nodes, same.isr_nodes)
        assert (entry.eligible_leader_replicas, entry.last_known_elr, entry.offline_replicas) == ((), (), ())


def test_topics_are_given_in_the_order_of_their_names(wire: Wire) -> None:
    names = sorted(wire.topic() for _ in range(3))
    answer = describe(wire, *reversed(names), names[0])
    assert shown(answer) == [(name, [0]) for name in names]
    assert answer.next_cursor is None


def test_a_limit_cuts_and_the_cursor_goes_on(wire: Wire) -> None:
    first, second, third = sorted(wire.topic(3) for _ in range(3))
    seen, cursor = [], None
    while True:
        answer = describe(wire, first, second, third, limit=2, cursor=cursor)
        seen += [(name, index) for name, indexes in shown(answer) for index in indexes]
        assert sum(len(topic.partitions) for topic in answer.topics) <= 2
        if answer.next_cursor is None:
            break
        cursor = answer.next_cursor.topic_name, answer.next_cursor.partition_index
    assert seen == [(name, index) for name in (first, second, third) for index in range(3)]


def test_a_cursor_begins_at_the_next_topic_when_the_limit_falls_between_two(wire: Wire) -> None:
    first, second = sorted(wire.topic(2) for _ in range(2))
    answer = describe(wire, first, second, limit=2)
    assert shown(answer) == [(first, [0, 1])]
    assert (answer.next_cursor.topic_name, answer.next_cursor.partition_index) == (second, 0)


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_counts_as_one(wire: Wire, limit: int) -> None:
    name = wire.topic(2)
    assert shown(describe(wire, name, limit=limit)) == [(name, [0])]


def test_without_names_all_topics_from_the_cursor_on_are_given(wire: Wire) -> None:
    first, second = sorted(wire.topic() for _ in range(2))
    names = [name for name, _ in shown(describe(wire, cursor=(second, 0)))]
    assert second in names
    assert first not in names
    assert names == sorted(names)


def test_a_cursor_of_a_topic_that_is_gone_goes_on_with_the_next(wire: Wire) -> None:
    first, second = sorted(wire.topic() for _ in range(2))
    wire.delete_topic(first)
    found = dict(shown(describe(wire, cursor=(first, 1))))
    assert found[second] == [0]
    assert min(found) > first


def test_a_cursor_behind_the_last_partition_is_no_error(wire: Wire) -> None:
    name = wire.topic(2)
    assert shown(describe(wire, name, cursor=(name, 7))) == [(name, [])]


def test_unknown_and_illegal_names_are_told_apart(wire: Wire) -> None:
    missing = wire.unique("missing")
    answer = describe(wire, missing, "no name!")
    assert {topic.name: topic.error_code for topic in answer.topics} == {
        missing: ErrorCode.unknown_topic_or_partition,
        "no name!": ErrorCode.invalid_topic_exception,
    }


def test_a_cursor_that_is_not_among_the_topics_is_an_invalid_request(wire: Wire) -> None:
    name = wire.topic()
    [topic] = describe(wire, name, cursor=(name + "x", 0)).topics
    assert (topic.name, topic.error_code, topic.partitions) == (name, ErrorCode.invalid_request, ())


def test_a_cursor_before_the_first_partition_is_an_invalid_request(wire: Wire) -> None:
    name = wire.topic()
    [topic] = describe(wire, name, cursor=(name, -1)).topics
    assert topic.error_code is ErrorCode.invalid_request
