"""The state in the topic, on the embedded broker and on Apache Kafka."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

from tailrace.client import Topic, admin, ensure_topics, read_to_end, wait_for_topics
from tailrace.registry.compatibility import Level
from tailrace.registry.errors import ErrorCode, Rejection
from tailrace.registry.log import SchemaLog
from tailrace.registry.store import (
    DeleteSubject,
    Register,
    SchemaStored,
    SetLevel,
    State,
    find,
    subject_not_found,
)


@contextmanager
def opened(engine: Any, topic: str) -> Iterator[SchemaLog]:
    log = SchemaLog(engine.bootstrap_servers, topic, timeout_s=60)
    try:
        log.start(60)
        yield log
    finally:
        log.close()


@pytest.fixture
def topic(unique: Callable[[str], str]) -> str:
    return unique("schemas")


def state_of(log: SchemaLog) -> State:
    log.catch_up()
    return log.read(lambda state: state)


def enum(name: str) -> str:
    return f'{{"type":"enum","name":"{name}","symbols":["A"]}}'


def test_state_is_what_the_topic_tells(engine: Any, topic: str) -> None:
    with opened(engine, topic) as log:
        for request in (
            Register("s", enum("A")),
            Register("t", enum("A")),
            Register("t2", enum("B")),
            SetLevel(None, Level.FULL),
            SetLevel("s", Level.NONE),
            Register("s", '"int"'),
            DeleteSubject("t"),
        ):
            assert not isinstance(log.submit(request), Rejection)
        before = state_of(log)
        assert [stored.id for stored in before.live("s")] == [1, 3]
    with opened(engine, topic) as again:
        assert state_of(again) == before
        assert not isinstance(again.submit(Register("u", enum("U"))), Rejection)
        assert state_of(again).last_id == 4


def test_refusal_appends_nothing(engine: Any, topic: str) -> None:
    with opened(engine, topic) as log:
        log.submit(Register("s", '"int"'))
        outcome = log.submit(Register("s", '"string"'))
        assert isinstance(outcome, Rejection)
        assert outcome.code is ErrorCode.INCOMPATIBLE_SCHEMA
        assert log.submit(Register("s", '"int"')) == []
    assert len(list(read_to_end(engine.bootstrap_servers, [topic]))) == 1


def test_topic_is_compacted_with_one_partition(engine: Any, topic: str) -> None:
    with opened(engine, topic):
        assert wait_for_topics(engine.bootstrap_servers, [topic]) == {topic: 1}
        resource = ConfigResource(ResourceType.TOPIC, topic)
        client = admin(engine.bootstrap_servers)
        (future,) = client.describe_configs([resource]).values()
        assert future.result()["cleanup.policy"].value == "compact"


def test_topic_with_more_partitions_is_refused(engine: Any, topic: str) -> None:
    ensure_topics(engine.bootstrap_servers, [Topic(topic, 2)])
    with pytest.raises(ValueError, match="has 2 partitions, expected 1"):
        SchemaLog(engine.bootstrap_servers, topic).start(30)


def test_what_one_registry_writes_the_other_finds(engine: Any, topic: str) -> None:
    with opened(engine, topic) as one, opened(engine, topic) as other:
        for i, (writer, reader) in enumerate([(one, other), (other, one), (one, other)]):
            writer.submit(Register(f"s{i}", enum("A")))

            def query(state: State, subject: str = f"s{i}") -> SchemaStored | Rejection:
                live = state.live(subject)
                return live[0] if live else subject_not_found(subject)

            assert isinstance(reader.read_fresh(query), SchemaStored)


def test_two_registries_on_one_topic_agree(engine: Any, topic: str) -> None:
    """Both register the same and different schemas at once; every schema gets one id, every id one schema."""
    schemas = [enum(f"E{i}") for i in range(5)]
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        logs = [stack.enter_context(opened(engine, topic)) for _ in range(2)]
        work = itertools.product(range(len(schemas)), range(2), range(2))
        requests = [(logs[log], Register(f"s{schema}-{n}", schemas[schema])) for schema, n, log in work]
        outcomes = list(pool.map(lambda one: one[0].submit(one[1]), requests))
        assert not any(isinstance(outcome, Rejection) for outcome in outcomes)
        first, second = (state_of(log) for log in logs)
        assert first == second
        assert sorted(first.id_by_text.values()) == [1, 2, 3, 4, 5]
        for i, schema in enumerate(schemas):
            assert find(first, f"s{i}-0", schema) == first.versions[f"s{i}-0"][1]
            assert list(first.versions[f"s{i}-0"]) == [1]
