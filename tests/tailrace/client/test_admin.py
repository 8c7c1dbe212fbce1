"""Topics that are wanted: made where they are missing, by a broker that may go away meanwhile."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.client import BrokerUnreachable, Topic, ensure_topics, wait_for_topics
from tests.conftest import Engine


def fail(monkeypatch: pytest.MonkeyPatch, *codes: int) -> list[int]:
    """The next answers to CreateTopics are lost, or errors; give those that are still to come."""
    left, create = list(codes), AdminClient.create_topics

    def create_topics(self: AdminClient, topics: Any, **options: Any) -> Any:
        made = create(self, topics, **options)
        if not left:
            return made
        for future in made.values():
            future.result()
        failed: Future[None] = Future()
        failed.set_exception(KafkaException(KafkaError(left.pop(0))))
        return dict.fromkeys(made, failed)

    monkeypatch.setattr(AdminClient, "create_topics", create_topics)
    return left


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._TIMED_OUT])
def test_topics_are_asked_for_again_when_the_broker_went_away(
    engine: Engine, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    topics = [Topic(unique("one"), 2), Topic(unique("two"), 3)]
    left = fail(monkeypatch, code)
    ensure_topics(engine.bootstrap_servers, topics)
    assert not left
    assert list(wait_for_topics(engine.bootstrap_servers, [each.name for each in topics]).values()) == [2, 3]


def test_a_broker_that_stays_away_is_unreachable(
    broker: Engine, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, KafkaError._TRANSPORT)
    with pytest.raises(BrokerUnreachable):
        ensure_topics(broker.bootstrap_servers, [Topic(unique("topic"))], timeout_s=0)


def test_what_is_refused_is_raised_at_once(
    broker: Engine, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = fail(monkeypatch, KafkaError.POLICY_VIOLATION, KafkaError.POLICY_VIOLATION)
    with pytest.raises(KafkaException, match="Policy"):
        ensure_topics(broker.bootstrap_servers, [Topic(unique("topic"))])
    assert len(left) == 1
