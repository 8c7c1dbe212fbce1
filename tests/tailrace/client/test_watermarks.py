"""Where partitions end, for who reads committed records: transactions that are open are beyond it."""

from collections.abc import Callable
from typing import cast

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from tailrace.client import Topic, all_ends, consumer, ends, ensure_topics, producer, watermarks
from tailrace.client.passing import PASSING
from tailrace.testing.port import free_port
from tests.conftest import Engine


def test_ends_are_those_of_committed_records_markers_included(engine: Engine, unique: Callable[[str], str]) -> None:
    address, topic, other = engine.bootstrap_servers, unique("topic"), unique("other")
    ensure_topics(address, [Topic(topic, 2), Topic(other)])
    reader = consumer(address, unique("group"))
    asked = [(topic, 0), (topic, 1), (other, 0)]
    while not (found := ends(reader, asked, 10)):
        pass  # on Apache Kafka, partitions made a moment ago may have no leader yet
    assert found == dict.fromkeys(asked, 0)
    writer = producer(address, transactional_id=unique("id"))
    writer.init_transactions()
    writer.begin_transaction()
    for number in range(3):
        writer.produce(topic, b"%d" % number, partition=0)
    assert writer.flush() == 0
    assert ends(reader, asked, 10) == dict.fromkeys(asked, 0)
    writer.commit_transaction()
    while not (found := ends(reader, asked, 10))[topic, 0]:
        pass  # Apache Kafka answers a commit before it has written the markers
    assert found == {(topic, 0): 4, (topic, 1): 0, (other, 0): 0}
    reader.close()


def test_ends_that_nobody_tells_are_left_out(engine: Engine, unique: Callable[[str], str]) -> None:
    reader = consumer(f"127.0.0.1:{free_port()}", "group")
    assert ends(reader, [("topic", 0)], 0.05) == {}
    reader.close()
    topic = unique("topic")
    ensure_topics(engine.bootstrap_servers, [Topic(topic)])
    reader = consumer(engine.bootstrap_servers, "group")
    asked = [(topic, 0), (unique("nowhere"), 0), (topic, 7)]
    while not (found := ends(reader, asked, 10)):
        pass
    assert found == {(topic, 0): 0}
    reader.close()


class Answers:
    """A client whose brokers answer one question after the other: with an offset, or with an error."""

    def __init__(self, *answers: int | KafkaError) -> None:
        self._answers = list(answers)
        self.asked: list[int] = []

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        (place,) = partitions
        self.asked.append(place.offset)
        answer = self._answers.pop(0)
        if not isinstance(answer, KafkaError):
            return [TopicPartition(place.topic, place.partition, answer)]
        if answer.code() < 0:
            raise KafkaException(answer)
        return [Failed(place.topic, place.partition, answer)]


class Failed(TopicPartition):
    def __init__(self, topic: str, partition: int, error: KafkaError) -> None:
        super().__init__(topic, partition, OFFSET_INVALID)
        self._error = error

    @property
    def error(self) -> KafkaError:
        return self._error


@pytest.mark.parametrize("code", sorted(PASSING))
def test_an_end_that_is_not_known_yet_is_asked_for_again(code: int) -> None:
    answers = Answers(0, KafkaError(code), 45)
    assert watermarks(cast("Consumer", answers), "topic", 0) == (0, 45)
    assert answers.asked == [OFFSET_BEGINNING, OFFSET_END, OFFSET_END]


def test_an_answer_without_an_offset_is_no_answer() -> None:
    assert all_ends(cast("Consumer", Answers(OFFSET_INVALID, 45)), [("topic", 0)]) == {("topic", 0): 45}


def test_an_error_that_stays_is_raised() -> None:
    denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException, match="authorization"):
        all_ends(cast("Consumer", Answers(denied)), [("topic", 0)])
    with pytest.raises(KafkaException, match="epoch"):
        all_ends(cast("Consumer", Answers(KafkaError(KafkaError.FENCED_LEADER_EPOCH))), [("topic", 0)], timeout_s=0)


def test_ends_of_many_partitions_are_asked_for_together(engine: Engine, unique: Callable[[str], str]) -> None:
    topic = unique("topic")
    ensure_topics(engine.bootstrap_servers, [Topic(topic, 5)])
    writer = producer(engine.bootstrap_servers)
    for partition in range(5):
        for _ in range(partition):
            writer.produce(topic, b"x", partition=partition)
    assert writer.flush() == 0
    reader = consumer(engine.bootstrap_servers, unique("group"))
    assert all_ends(reader, [(topic, partition) for partition in range(5)]) == {(topic, n): n for n in range(5)}
    assert watermarks(reader, topic, 3) == (0, 3)
    assert all_ends(reader, []) == {}
    reader.close()
