"""AlterPartitionReassignments and ListPartitionReassignments: one broker has nowhere to move a partition to."""

from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from .conftest import Wire


def reassign(wire: Wire, topic: str, replicas: list[int] | None, partition: int = 0) -> tuple[ErrorCode, str | None]:
    wanted = {"name": topic, "partitions": [{"partition_index": partition, "replicas": replicas}]}
    answer = wire.ask("alter_partition_reassignments", 0, timeout=10_000, topics=[wanted])
    assert answer.error_code is ErrorCode.none
    [result] = answer.responses[0].partitions
    return result.error_code, result.error_message


def node(wire: Wire) -> int:
    return int(wire.ask("metadata", 9, topics=[]).controller_id)


def test_an_assignment_to_where_the_partition_is_succeeds(wire: Wire) -> None:
    assert reassign(wire, wire.topic(), [node(wire)]) == (ErrorCode.none, None)


@pytest.mark.parametrize("replicas", [[], [99], [1, 99]], ids=["nobody", "another broker", "one more broker"])
def test_an_assignment_to_other_brokers_is_refused(wire: Wire, replicas: list[int]) -> None:
    error, message = reassign(wire, wire.topic(), replicas)
    assert error is ErrorCode.invalid_replica_assignment
    assert message


def test_an_assignment_to_a_broker_twice_is_refused(wire: Wire) -> None:
    error, _ = reassign(wire, wire.topic(), [node(wire)] * 2)
    assert error is ErrorCode.invalid_replica_assignment


def test_there_is_no_reassignment_to_cancel(wire: Wire) -> None:
    error, _ = reassign(wire, wire.topic(), None)
    assert error is ErrorCode.no_reassignment_in_progress


def test_an_unknown_partition_cannot_be_reassigned(wire: Wire) -> None:
    assert reassign(wire, wire.unique("missing"), [1])[0] is ErrorCode.unknown_topic_or_partition
    assert reassign(wire, wire.topic(), [1], partition=5)[0] is ErrorCode.unknown_topic_or_partition


@pytest.mark.parametrize("names_topics", [True, False], ids=["of a topic", "of all"])
def test_no_reassignment_is_listed(wire: Wire, names_topics: bool) -> None:
    wanted: list[dict[str, Any]] = [{"name": wire.topic(), "partition_indexes": [0]}]
    answer = wire.ask("list_partition_reassignments", 0, timeout=10_000, topics=wanted if names_topics else None)
    assert (answer.error_code, answer.topics) == (ErrorCode.none, ())
