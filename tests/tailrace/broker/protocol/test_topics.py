"""CreateTopics, DeleteTopics, CreatePartitions and Metadata: names, ids, defaults and what is refused."""

from typing import Any
from uuid import uuid4

import pytest
from kio.schema.errors import ErrorCode

from .conftest import Wire, until


def create(wire: Wire, name: str, *, version: int = 7, validate_only: bool = False, **fields: Any) -> Any:
    wanted = {"name": name, "num_partitions": 1, "replication_factor": 1} | fields
    return wire.ask("create_topics", version, topics=[wanted], timeout=10_000, validate_only=validate_only).topics[0]


def node(wire: Wire) -> int:
    return int(wire.ask("metadata", 9, topics=[]).controller_id)


# -- creating ------------------------------------------------------------------------------------------------------


def test_minus_one_stands_for_the_defaults(wire: Wire) -> None:
    answer = create(wire, wire.unique("topic"), num_partitions=-1, replication_factor=-1)
    assert (answer.error_code, answer.num_partitions, answer.replication_factor) == (ErrorCode.none, 1, 1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"num_partitions": 0}, ErrorCode.invalid_partitions),
        ({"num_partitions": -2}, ErrorCode.invalid_partitions),
        ({"replication_factor": 0}, ErrorCode.invalid_replication_factor),
        ({"replication_factor": 2}, ErrorCode.invalid_replication_factor),
        ({"replication_factor": -2}, ErrorCode.invalid_replication_factor),
        ({"configs": [{"name": "no.such.config", "value": "1"}]}, ErrorCode.invalid_config),
        ({"configs": [{"name": "retention.ms", "value": "soon"}]}, ErrorCode.invalid_config),
        ({"configs": [{"name": "retention.ms", "value": None}]}, ErrorCode.invalid_config),
    ],
    ids=str,
)
@pytest.mark.parametrize("validate_only", [False, True], ids=["", "validate only"])
def test_a_bad_topic_is_refused(wire: Wire, fields: dict[str, Any], error: ErrorCode, validate_only: bool) -> None:
    name = wire.unique("topic")
    answer = create(wire, name, validate_only=validate_only, **fields)
    assert answer.error_code is error
    assert answer.error_message
    assert answer.topic_id is None
    assert wire.describe_topic(name).error_code is ErrorCode.unknown_topic_or_partition


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_an_illegal_name_is_refused(wire: Wire, name: str) -> None:
    assert create(wire, name).error_code is ErrorCode.invalid_topic_exception


@pytest.mark.parametrize("name", ["_", "a.b-c_D9", "..."])
def test_a_legal_name_is_taken(wire: Wire, name: str) -> None:
    error = create(wire, name).error_code
    assert error in (ErrorCode.none, ErrorCode.topic_already_exists)


def test_names_that_differ_in_dot_and_underscore_collide(wire: Wire) -> None:
    name = wire.unique("a_b")
    assert create(wire, name).error_code is ErrorCode.none
    assert create(wire, name.replace("_", ".")).error_code is ErrorCode.invalid_topic_exception


def test_a_topic_that_exists_cannot_be_created(wire: Wire) -> None:
    topic = wire.topic()
    assert create(wire, topic).error_code is ErrorCode.topic_already_exists
    assert create(wire, topic, validate_only=True).error_code is ErrorCode.topic_already_exists


def test_a_topic_named_twice_in_a_request_is_invalid(wire: Wire) -> None:
    name, other = wire.unique("topic"), wire.unique("topic")
    wanted = [{"name": each, "num_partitions": 1, "replication_factor": 1} for each in (name, other, name)]
    answer = wire.ask("create_topics", 7, topics=wanted, timeout=10_000)
    errors = {topic.name: topic.error_code for topic in answer.topics}
    assert errors == {name: ErrorCode.invalid_request, other: ErrorCode.none}


@pytest.mark.parametrize("version", range(2, 8))
def test_validation_creates_nothing(wire: Wire, version: int) -> None:
    name = wire.unique("topic")
    answer = create(wire, name, version=version, validate_only=True)
    assert answer.error_code is ErrorCode.none
    assert wire.describe_topic(name).error_code is ErrorCode.unknown_topic_or_partition


def test_the_answer_tells_id_and_configuration(wire: Wire) -> None:
    name = wire.unique("topic")
    answer = create(wire, name, num_partitions=3, configs=[{"name": "retention.ms", "value": "1000"}])
    assert (answer.num_partitions, answer.replication_factor) == (3, 1)
    until(lambda: wire.describe_topic(name).topic_id == answer.topic_id)
    values = {config.name: (config.value, config.config_source) for config in answer.configs}
    assert values["retention.ms"] == ("1000", 1)
    assert values["cleanup.policy"] == ("delete", 5)


def test_validation_tells_the_configuration_too(wire: Wire) -> None:
    answer = create(wire, wire.unique("topic"), validate_only=True, configs=[{"name": "retention.ms", "value": "1"}])
    values = {config.name: config.value for config in answer.configs}
    assert values["retention.ms"] == "1"
    assert (answer.num_partitions, answer.replication_factor) == (1, 1)


def assignment(*replicas: list[int], first: int = 0) -> dict[str, Any]:
    rows = [{"partition_index": first + index, "broker_ids": ids} for index, ids in enumerate(replicas)]
    return {"num_partitions": -1, "replication_factor": -1, "assignments": rows}


def test_partitions_can_be_assigned_by_hand(wire: Wire) -> None:
    name = wire.unique("topic")
    answer = create(wire, name, **assignment([node(wire)], [node(wire)]))
    assert (answer.error_code, answer.num_partitions) == (ErrorCode.none, 2)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (assignment([99]), ErrorCode.invalid_replica_assignment),
        (assignment([]), ErrorCode.invalid_replica_assignment),
        (assignment([1, 1]), ErrorCode.invalid_replica_assignment),
        (assignment([1], first=5), ErrorCode.invalid_replica_assignment),
        (assignment([1]) | {"num_partitions": 1}, ErrorCode.invalid_request),
        (assignment([1]) | {"replication_factor": 1}, ErrorCode.invalid_request),
    ],
    ids=["another broker", "nobody", "twice", "from the fifth", "with a count", "with a factor"],
)
def test_a_bad_assignment_is_refused(wire: Wire, fields: dict[str, Any], error: ErrorCode) -> None:
    assert create(wire, wire.unique("topic"), **fields).error_code is error


# -- deleting ------------------------------------------------------------------------------------------------------


def test_a_topic_is_deleted_by_name_or_id(wire: Wire) -> None:
    by_name, by_id = wire.topic(), wire.topic()
    ids = {name: wire.describe_topic(name).topic_id for name in (by_name, by_id)}
    wanted = [{"name": by_name, "topic_id": None}, {"name": None, "topic_id": ids[by_id]}]
    answer = wire.ask("delete_topics", 6, topics=wanted, timeout=10_000)
    assert {(entry.name, entry.topic_id, entry.error_code) for entry in answer.responses} == {
        (name, topic_id, ErrorCode.none) for name, topic_id in ids.items()
    }


def test_an_unknown_topic_cannot_be_deleted(wire: Wire) -> None:
    missing, unknown = wire.unique("missing"), uuid4()
    wanted = [{"name": missing, "topic_id": None}, {"name": None, "topic_id": unknown}]
    answer = wire.ask("delete_topics", 6, topics=wanted, timeout=10_000)
    assert {(entry.name, entry.topic_id): entry.error_code for entry in answer.responses} == {
        (missing, None): ErrorCode.unknown_topic_or_partition,
        (None, unknown): ErrorCode.unknown_topic_id,
    }


@pytest.mark.parametrize("repeats", ["name", "id", "name and id"])
def test_a_topic_that_is_named_twice_is_not_deleted(wire: Wire, repeats: str) -> None:
    topic = wire.topic()
    by_name = {"name": topic, "topic_id": None}
    by_id = {"name": None, "topic_id": wire.describe_topic(topic).topic_id}
    wanted = {"name": [by_name] * 2, "id": [by_id] * 2, "name and id": [by_name, by_id]}[repeats]
    answer = wire.ask("delete_topics", 6, topics=wanted, timeout=10_000)
    assert {entry.error_code for entry in answer.responses} == {ErrorCode.invalid_request}
    assert wire.describe_topic(topic).error_code is ErrorCode.none


def test_name_and_id_of_a_topic_together_are_an_invalid_request(wire: Wire) -> None:
    topic = wire.topic()
    wanted = [{"name": topic, "topic_id": wire.describe_topic(topic).topic_id}]
    [answer] = wire.ask("delete_topics", 6, topics=wanted, timeout=10_000).responses
    assert answer.error_code is ErrorCode.invalid_request
    assert wire.describe_topic(topic).error_code is ErrorCode.none


# -- partitions ----------------------------------------------------------------------------------------------------


def grow(wire: Wire, name: str, count: int, **options: Any) -> ErrorCode:
    wanted = {"name": name, "count": count, "assignments": options.pop("assignments", None)}
    [answer] = wire.ask("create_partitions", 3, topics=[wanted], timeout=10_000, **options).results
    error: ErrorCode = answer.error_code
    return error


def test_partitions_are_added(wire: Wire) -> None:
    topic = wire.topic()
    assert grow(wire, topic, 3, validate_only=True) is ErrorCode.none
    assert len(wire.describe_topic(topic).partitions) == 1
    assert grow(wire, topic, 3) is ErrorCode.none
    until(lambda: len(wire.describe_topic(topic).partitions) == 3)


def test_partitions_that_cannot_be_added_are_refused(wire: Wire) -> None:
    topic = wire.topic(2)
    for count in (2, 1, 0, -1):
        assert grow(wire, topic, count) is ErrorCode.invalid_partitions
    assert grow(wire, wire.unique("missing"), 3) is ErrorCode.unknown_topic_or_partition
    assert grow(wire, topic, 4, assignments=[{"broker_ids": [1]}]) is ErrorCode.invalid_replica_assignment
    assert grow(wire, topic, 3, assignments=[{"broker_ids": [99]}]) is ErrorCode.invalid_replica_assignment
    assert grow(wire, topic, 3, assignments=[{"broker_ids": []}]) is ErrorCode.invalid_replica_assignment
    assert len(wire.describe_topic(topic).partitions) == 2


def test_a_topic_that_is_named_twice_gets_no_partitions(wire: Wire) -> None:
    topic = wire.topic()
    wanted = [{"name": topic, "count": 2, "assignments": None}] * 2
    answer = wire.ask("create_partitions", 3, topics=wanted, timeout=10_000)
    assert {entry.error_code for entry in answer.results} == {ErrorCode.invalid_request}
    assert len(wire.describe_topic(topic).partitions) == 1


# -- metadata ------------------------------------------------------------------------------------------------------


def metadata(wire: Wire, version: int, *topics: dict[str, Any]) -> list[Any]:
    return list(wire.ask("metadata", version, topics=list(topics), allow_auto_topic_creation=False).topics)


@pytest.mark.parametrize("version", range(4, 13))
def test_an_unknown_topic_and_an_illegal_name_are_told_apart(wire: Wire, version: int) -> None:
    missing = wire.unique("missing")
    answer = metadata(wire, version, *({"name": name, "topic_id": None} for name in (missing, "no name!")))
    assert {topic.name: topic.error_code for topic in answer} == {
        missing: ErrorCode.unknown_topic_or_partition,
        "no name!": ErrorCode.invalid_topic_exception,
    }
    assert all(topic.partitions == () for topic in answer)


@pytest.mark.parametrize("version", [0, 1, 5, 12])
def test_a_topic_is_described_in_every_version(wire: Wire, version: int) -> None:
    topic = wire.topic(2)
    [found] = metadata(wire, version, {"name": topic, "topic_id": None})
    assert (found.error_code, found.name) == (ErrorCode.none, topic)
    assert sorted(entry.partition_index for entry in found.partitions) == [0, 1]


def test_all_topics_are_described(wire: Wire) -> None:
    topic = wire.topic()
    for version, everything in ((0, []), (1, None), (12, None)):
        answer = wire.ask("metadata", version, topics=everything)
        assert topic in {found.name for found in answer.topics}
    assert metadata(wire, 12) == []


def test_a_topic_is_described_by_its_id(wire: Wire) -> None:
    topic = wire.topic()
    topic_id = wire.describe_topic(topic).topic_id
    [found] = metadata(wire, 12, {"name": None, "topic_id": topic_id})
    assert (found.error_code, found.name, found.topic_id) == (ErrorCode.none, topic, topic_id)


def test_an_unknown_id_is_told(wire: Wire) -> None:
    unknown = uuid4()
    [found] = metadata(wire, 12, {"name": None, "topic_id": unknown})
    assert (found.error_code, found.topic_id, found.partitions) == (ErrorCode.unknown_topic_id, unknown, ())


def test_a_topic_that_is_made_anew_has_another_id(wire: Wire) -> None:
    topic = wire.topic()
    old = wire.describe_topic(topic).topic_id
    wire.delete_topic(topic)
    [found] = metadata(wire, 12, {"name": None, "topic_id": old})
    assert found.error_code is ErrorCode.unknown_topic_id
    assert wire.create_topic(topic) != old
